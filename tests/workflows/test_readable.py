"""What the UI, which has no keys, can show of a run, and what it can't."""

from __future__ import annotations

import base64

from pydantic import SecretStr
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter

from infra.temporal import ENCODING, EncryptingCodec, MarkingConverter
from tests.workflows.media.runs import running, waiting
from tests.workflows.media.scripted import Scripted, broken

KEY = SecretStr(base64.b64encode(bytes(32)).decode())
SEALING = DataConverter(
    payload_converter_class=MarkingConverter, payload_codec=EncryptingCodec({"k1": KEY})
)


async def test_operators_read_runs_without_the_keys(dev_server_address: str) -> None:
    ours = await Client.connect(dev_server_address, data_converter=SEALING)
    ui = await Client.connect(dev_server_address, data_converter=pydantic_data_converter)
    scripted = Scripted(fails={"render_image": [broken("the disk is full")]})
    async with running(ours, scripted) as handle:
        await waiting(handle, "render")
        seen = ui.get_workflow_handle(handle.id)
        described = await seen.describe()
        assert await described.static_summary() == "Ingest of one image"
        assert "virus scan" in (await described.static_details() or "")
        metadata = await seen.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        assert "the disk is full" in metadata.current_details
        assert "retry_step" in metadata.current_details
        await _check_history(ui, handle.id)
        said = await seen.execute_update(
            "retry_step", {"step": "render", "operator": "ada"}, result_type=str
        )
        assert said == "render: tried again", "sent and answered without the keys"
        await handle.result()


async def _check_history(ui: Client, workflow_id: str) -> None:
    """Titles of steps are readable, their inputs are sealed."""
    summaries: list[str] = []
    async for event in ui.get_workflow_handle(workflow_id).fetch_history_events():
        if event.HasField("activity_task_scheduled_event_attributes"):
            for payload in event.activity_task_scheduled_event_attributes.input.payloads:
                assert payload.metadata["encoding"] == ENCODING
            if event.user_metadata.HasField("summary"):
                summaries += await ui.data_converter.decode([event.user_metadata.summary], [str])
    assert summaries == [
        "Reading the file once: size, hash, type, virus scan",
        "Making the picture's renditions",
    ]
