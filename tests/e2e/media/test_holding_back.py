"""Nothing goes out unjudged: a scanner that is away or too small, and a moderator's hold."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from temporalio.client import Client, WorkflowUpdateFailedError

from domain.ids import ingest_workflow_id
from infra.moderation import MODEL_LABELS
from infra.storage import Storage
from tests.e2e.media import pictures
from tests.e2e.media.person import Person
from tests.e2e.media.platform import Platform, deployed
from tests.e2e.media.staff import Operator
from workflows.queues import Queue

pytestmark = pytest.mark.timeout(300)

NOTICE_SECONDS = 30
SMALL_SCANNER = {"clamd_stream_bytes_max": 1000}
"""Smaller than any picture here."""


@pytest.fixture(scope="module")
def gate(
    stack_environment: dict[str, str], storage: Storage, worker_engine: Engine
) -> Iterator[Platform]:
    """A platform whose workers each test starts with settings of its own."""
    with (
        deployed(stack_environment, name="gate", storage=storage, engine=worker_engine) as it,
        it.working(Queue.WORKFLOWS),
    ):
        yield it


@pytest.fixture(scope="module")
def owner(gate: Platform) -> Person:
    return gate.creator("noor.waits")


def test_while_the_scanner_is_away_nothing_passes_and_afterwards_all_goes_on(
    gate: Platform, owner: Person
) -> None:
    with gate.working(Queue.MEDIA):
        with gate.working(Queue.IO, clamd_address=_closed_address()):
            media_id = owner.upload(pictures.photo(40))
            assert "the virus scanner gave no verdict" in _told_of_a_second_attempt(gate, media_id)
        assert owner.media(media_id)["state"] == "processing"
        assert gate.row(media_id).scan_verdict is None
        assert gate.stored(media_id)["private"] == []
        with gate.working(Queue.IO):
            owner.ready(media_id)
    assert gate.row(media_id).scan_verdict == "clean"


def _closed_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


def _told_of_a_second_attempt(gate: Platform, media_id: str) -> str:
    """Why the run's first attempt failed, as the UI shows it while the next one is awaited."""

    async def asked(client: Client) -> str:
        handle = client.get_workflow_handle(ingest_workflow_id(media_id))
        pending = (await handle.describe()).raw_description.pending_activities
        return pending[0].last_failure.message if pending and pending[0].attempt > 1 else ""

    deadline = time.monotonic() + NOTICE_SECONDS
    while not (why := gate.ask(asked)):
        assert time.monotonic() < deadline, "no attempt has failed"
        time.sleep(0.1)
    return why


def test_a_file_too_large_to_scan_waits_for_an_operator_where_policy_says_so(
    gate: Platform, owner: Person
) -> None:
    operator = Operator(gate)
    with gate.working(Queue.MEDIA):
        with gate.working(Queue.IO, **SMALL_SCANNER, scan_over_limit_policy="block"):
            media_id = owner.upload(pictures.photo(41))
            operator.until_waiting(media_id)
            details = operator.details(media_id)
            assert "the file is larger than the virus scanner can take" in details
            assert "CLAMD_STREAM_BYTES_MAX" in details
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                operator.decide(media_id, "skip_step", step="inspect", operator="Kim Ito")
            assert "can't be skipped" in str(refused.value.cause)
        with gate.working(Queue.IO):
            operator.decide(media_id, "retry_step", step="inspect", operator="Kim Ito")
            owner.ready(media_id)
    assert gate.row(media_id).scan_verdict == "clean"
    (entry,) = gate.audit(media_id, "media.step_retried")
    assert (entry.actor_name, entry.detail["step"]) == ("Kim Ito", "inspect")


def test_by_the_default_policy_only_re_encoded_copies_of_it_are_published(
    gate: Platform, owner: Person
) -> None:
    with gate.working(Queue.MEDIA, Queue.IO, **SMALL_SCANNER):
        media_id = owner.upload(pictures.photo(42))
        media = owner.ready(media_id)
    assert gate.row(media_id).scan_verdict == "not_scanned"
    original_key = gate.row(media_id).original_key
    assert media["renditions"]
    assert not any(original_key in each["url"] for each in media["renditions"])


def test_a_label_that_holds_shows_the_picture_to_its_owner_alone_until_it_is_released(
    gate: Platform, owner: Person
) -> None:
    every_label = {"moderation_hold_labels": MODEL_LABELS, "moderation_label_score_min": 0.0}
    with gate.working(Queue.MEDIA, Queue.IO, **every_label):
        media_id = owner.upload(pictures.photo(43), visibility="public")
        media = owner.settle(media_id)
    assert (media["state"], media["manage"]["moderation_outcome"]) == ("held", "hold")
    assert {"image", "thumbnail", "blur"} == {each["kind"] for each in media["renditions"]}
    fan = gate.fan()
    gate.entitle(fan, owner)
    fan.call("GET", f"/media/{media_id}", status=404)
    fan.call("POST", f"/media/{media_id}/playback", status=404)
    refusal = owner.call("POST", f"/media/{media_id}/reprocess", status=409)
    assert refusal["code"] == "held_for_review"
    moderator = gate.moderator()
    assert moderator.media(media_id)["renditions"]
    moderator.call("POST", f"/media/{media_id}/release", status=204)
    assert fan.media(media_id)["access"]["allowed"] is True
    assert owner.media(media_id)["state"] == "ready"
    assert len(gate.audit(media_id, "media.released")) == 1
    refusal = moderator.call("POST", f"/media/{media_id}/release", status=409)
    assert refusal["code"] == "not_held"
