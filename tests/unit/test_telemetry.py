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
from infra.spans import start_tracing, step_span
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


@pytest.mark.usefixtures("logging_as_before")
def test_a_line_names_the_span_that_is_under_way_not_the_request_that_it_is_for(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    traced = settings.model_copy(
        update={"otel_exporter_otlp_endpoint": "http://127.0.0.1:9", "trace_sample_ratio": 0.0}
    )
    configure_logging(traced)
    log = structlog.get_logger("test")
    trace_id, request_span_id = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    stop_tracing = start_tracing(traced, service="test")
    try:
        with bound(trace_id=trace_id, span_id=request_span_id):
            log.info("of the request")
            with step_span(
                "render",
                workflow_id="ingest:1",
                run_id="run-1",
                attempt=1,
                traceparent=f"00-{trace_id}-{request_span_id}-00",
            ):
                log.info("of the step")
    finally:
        stop_tracing()
    of_request, of_step = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (of_request["trace_id"], of_request["span_id"]) == (trace_id, request_span_id)
    assert of_step["trace_id"] == trace_id
    assert of_step["span_id"] != request_span_id
