"""Files that are refused: the code, the sentence, what is kept, and what never comes about.

What can be told before a byte is sent, or when an upload is completed, is refused by the API
and tested with it: `tests/e2e/api/test_uploads_api.py` and `test_upload_faults.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from temporalio.client import Client, WorkflowExecutionStatus

from domain.ids import ingest_workflow_id
from domain.media.rejections import RejectionCode
from infra.db import transaction
from infra.models import BlockedHash
from infra.storage import Storage
from tests.e2e.media import pictures
from tests.e2e.media.person import Json, Person
from tests.e2e.media.platform import Platform, deployed
from tests.e2e.media.refused_files import CASES, KNOWN_PICTURE, LIMITS, Refused

pytestmark = pytest.mark.timeout(300)

EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
DECODER_SECONDS = 1
"""For files that are refused for their cost."""


@dataclass(frozen=True)
class Verdicts:
    """Every file of `CASES` after its run, by its name; and one good file that came with them."""

    owner: Person
    media: dict[str, Json]
    good: Json

    def of(self, case: Refused) -> Json:
        return self.media[case.name]


@pytest.fixture(scope="module")
def desk(
    stack_environment: dict[str, str], storage: Storage, worker_engine: Engine
) -> Iterator[Platform]:
    """A platform with tight limits, on which no worker runs yet."""
    with deployed(
        stack_environment, name="refusals", storage=storage, engine=worker_engine, **LIMITS
    ) as it:
        yield it


@pytest.fixture(scope="module")
def verdicts(desk: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verdicts]:
    """Everything is uploaded before the workers start, so that storage can be tampered with;
    what is on the block list follows when the list has its entry."""
    folder = tmp_path_factory.mktemp("refused")
    owner = desk.creator("max.tries")
    known = owner.upload(pictures.photo(KNOWN_PICTURE))
    blocked = [case for case in CASES if case.code is RejectionCode.BLOCKED_CONTENT]
    ids = {
        case.name: _bring(desk, owner, case, folder)
        for case in CASES
        if case not in blocked and not case.is_slow
    }
    with ExitStack() as workers:
        workers.enter_context(desk.working())
        owner.ready(known)
        _block(desk, known)
        ids |= {case.name: _bring(desk, owner, case, folder) for case in blocked}
        media = {name: owner.settle(media_id) for name, media_id in ids.items()}
        good = owner.ready(owner.upload(pictures.photo(8)))
        slow = {case.name: _bring(desk, owner, case, folder) for case in CASES if case.is_slow}
        workers.close()
        workers.enter_context(desk.working(decoder_image_seconds_max=DECODER_SECONDS))
        media |= {name: owner.settle(media_id) for name, media_id in slow.items()}
        for media_id in (ids | slow).values():
            desk.until_run_over(media_id)
        yield Verdicts(owner, media, good)


def _bring(desk: Platform, owner: Person, case: Refused, folder: Path) -> str:
    file = case.make(folder)
    media_id = owner.upload(file, **case.wish)
    if case.damage is not None:
        storage = desk.storage
        storage.put_bytes(
            storage.quarantine,
            f"o/{media_id}",
            case.damage(file.content),
            content_type=file.content_type,
        )
    return media_id


def _block(desk: Platform, media_id: str) -> None:
    known_hash = desk.row(media_id).pdq_hash
    assert known_hash is not None
    with transaction(desk.engine) as session:
        session.add(BlockedHash(pdq_hash=known_hash, source="a test"))


def test_every_reason_has_a_file() -> None:
    assert {case.code for case in CASES} == set(RejectionCode)


@EACH
def test_the_creator_reads_why_and_what_to_do(verdicts: Verdicts, case: Refused) -> None:
    media = verdicts.of(case)
    assert media["state"] == "rejected"
    assert media["manage"]["rejection"] == {"code": case.code.value, "detail": case.code.sentence}
    assert media["manage"]["progress"]["needs_attention"] is False


@EACH
def test_nothing_is_published_and_the_original_is_kept(
    desk: Platform, verdicts: Verdicts, case: Refused
) -> None:
    media_id = verdicts.of(case)["id"]
    assert desk.stored(media_id) == {
        "original": [f"o/{media_id}"],
        "private": [],
        "work": [],
        "public": [],
    }
    assert desk.renditions(media_id) == []
    row = desk.row(media_id)
    assert (row.published_generation, row.original_deleted_at) == (None, None)
    assert row.retain_original_until is not None
    days = 30 if case.code is RejectionCode.INFECTED else 7
    kept_for = row.retain_original_until - datetime.now(UTC)
    assert timedelta(days=days, minutes=-10) < kept_for <= timedelta(days=days)


@EACH
def test_nobody_else_learns_of_it_and_nobody_plays_it(
    desk: Platform, verdicts: Verdicts, case: Refused
) -> None:
    media_id = verdicts.of(case)["id"]
    desk.fan().call("GET", f"/media/{media_id}", status=404)
    refusal = verdicts.owner.call("POST", f"/media/{media_id}/playback", status=409)
    assert refusal["code"] == "media_rejected"


@EACH
def test_the_refusal_is_written_down_once(
    desk: Platform, verdicts: Verdicts, case: Refused
) -> None:
    (entry,) = desk.audit(verdicts.of(case)["id"], "media.rejected")
    assert entry.actor_name == "system"
    assert (entry.detail["code"], entry.detail["generation"]) == (case.code.value, 1)


@EACH
def test_the_run_ends_well_and_tries_a_hopeless_file_no_more_than_it_must(
    desk: Platform, verdicts: Verdicts, case: Refused
) -> None:
    workflow_id = ingest_workflow_id(verdicts.of(case)["id"])
    status, attempts = desk.ask(lambda client: _how_it_went(client, workflow_id))
    assert status is WorkflowExecutionStatus.COMPLETED
    # A busy machine can make one attempt slow, so cost alone is judged by the second.
    assert attempts == (2 if case.is_slow else 1)


async def _how_it_went(
    client: Client, workflow_id: str
) -> tuple[WorkflowExecutionStatus | None, int]:
    """How a run ended, and the most attempts that one of its steps took."""
    handle = client.get_workflow_handle(workflow_id)
    attempts = [
        event.activity_task_started_event_attributes.attempt
        async for event in handle.fetch_history_events()
        if event.HasField("activity_task_started_event_attributes")
    ]
    return (await handle.describe()).status, max(attempts)


def test_the_workers_live_on(verdicts: Verdicts) -> None:
    assert verdicts.good["state"] == "ready"


def test_originals_go_when_their_time_as_evidence_is_over(
    desk: Platform, verdicts: Verdicts, tmp_path: Path
) -> None:
    """A week for what is broken, a month for what is infected."""
    owner = verdicts.owner
    by_code = {case.code: case for case in CASES}
    broken, infected = (
        owner.settle(_bring(desk, owner, by_code[code], tmp_path))["id"]
        for code in (RejectionCode.UNSUPPORTED_TYPE, RejectionCode.INFECTED)
    )
    for media_id in (broken, infected):
        desk.age(media_id, timedelta(days=8))
    desk.sweep()
    assert desk.stored(broken)["original"] == []
    assert desk.row(broken).original_deleted_at is not None
    assert desk.stored(infected)["original"] == [f"o/{infected}"]
    for media_id, code in ((broken, "original_gone"), (infected, "sealed_original")):
        refusal = owner.call("POST", f"/media/{media_id}/reprocess", status=409)
        assert refusal["code"] == code
