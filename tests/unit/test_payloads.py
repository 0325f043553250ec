"""What is encrypted on its way to Temporal, and what operators can read there."""

from __future__ import annotations

import base64

from pydantic import SecretStr
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.converter import DataConverter

from domain.operators import OperatorText
from infra.temporal import ENCODING, EncryptingCodec, MarkingConverter
from workflows.media.messages import MediaRef

KEY = SecretStr(base64.b64encode(bytes(32)).decode())
CONVERTER = DataConverter(
    payload_converter_class=MarkingConverter, payload_codec=EncryptingCodec({"k1": KEY})
)


async def test_inputs_and_plain_texts_are_encrypted() -> None:
    payloads = await CONVERTER.encode([MediaRef("beach"), "beach"])
    for payload in payloads:
        assert payload.metadata["encoding"] == ENCODING
        assert b"beach" not in payload.SerializeToString()
    assert await CONVERTER.decode(payloads, [MediaRef, str]) == [MediaRef("beach"), "beach"]


async def test_text_for_operators_stays_readable() -> None:
    (payload,) = await CONVERTER.encode([OperatorText("Ingest of one video")])
    assert payload.data == b'"Ingest of one video"'
    assert payload.metadata["encoding"] == b"json/plain"
    assert await CONVERTER.decode([payload], [str]) == ["Ingest of one video"]


async def test_current_details_stay_readable() -> None:
    (payload,) = await CONVERTER.encode([WorkflowMetadata(current_details="Publishing")])
    assert b"Publishing" in payload.data
