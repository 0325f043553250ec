"""Log lines: one JSON object each, with the ids of their context and without secrets."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from pydantic import SecretStr

from infra.settings import Settings
from infra.telemetry import bound, configure_logging


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def settings() -> Settings:
    key = SecretStr(base64.b64encode(b"topsecret" * 3 + b"12345").decode())
    return Settings(
        payload_keys={"a": key},
        media_master_keys={"a": key},
        account_master_keys={"a": key},
        token_private_keys={"a": key},
        url_signing_key=key,
    )


@pytest.mark.usefixtures("logging_as_before")
def test_a_line_carries_its_context_and_no_local_variables(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(settings)
    log = structlog.get_logger("test")
    raw_key = "raw-key-material"
    with bound(request_id="r-1", workflow_id=None):
        try:
            raise ValueError(len(raw_key))
        except ValueError:
            log.exception("failed")
        logging.getLogger("uvicorn.error").warning("from %s", "outside")
    own, foreign = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert own["request_id"] == foreign["request_id"] == "r-1"
    assert "workflow_id" not in own
    assert foreign["event"] == "from outside"
    assert own["exception"][0]["exc_type"] == "ValueError"
    assert raw_key not in json.dumps(own)
