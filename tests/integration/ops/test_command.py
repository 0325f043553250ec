"""`python -m ops` on a real server, with runs that wait."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, select
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from domain.ids import ingest_workflow_id
from infra.audit import verify
from infra.db import transaction
from infra.models import AuditEntry, Media
from ops.__main__ import main
from tests.harness.rows import MakeMedia
from tests.workflows.mail.runs import Scripted, sending, waiting
from workflows.mail.messages import MailEnd

CAUSE = "the mail server [smtp] is away"


class Said:
    """What a command printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Ops:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def __call__(self, *arguments: str) -> Said:
        self._capsys.readouterr()
        code = await asyncio.to_thread(main, arguments)
        out, err = self._capsys.readouterr()
        return Said(code, out, err)


@pytest.fixture
def ops(
    stack_environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Ops:
    for name, value in stack_environment.items():
        monkeypatch.setenv(name, value)
    # Rich wraps at what it takes for the terminal's width.
    monkeypatch.setenv("COLUMNS", "200")
    return Ops(capsys)


@pytest.fixture
def reason() -> str:
    """One that no other test's run waits for."""
    return f"reason_{uuid4().hex[:8]}"


def blocked(reason: str) -> ApplicationError:
    return ApplicationError(CAUSE, reason, type="StepBlocked", non_retryable=True)


async def listed(ops: Ops, reason: str, *arguments: str) -> list[Any]:
    """Runs that wait for a reason, as soon as the server lists them."""
    async with asyncio.timeout(15):
        while True:
            said = await ops("list", "--json", "--limit", "500", *arguments)
            assert said.code == 0, said.err
            if found := [run for run in said.json if reason in run["reasons"]]:
                return found
            await asyncio.sleep(0.1)


async def test_a_run_that_waits_is_listed_shown_and_tried_again(
    temporal_client: Client, ops: Ops, reason: str
) -> None:
    scripted = Scripted(fails=[blocked(reason)])
    async with sending(temporal_client, scripted) as handle:
        await waiting(handle)
        (run,) = await listed(ops, reason, "--kind", "mail")
        assert (run["workflow_id"], run["kind"]) == (handle.id, "mail")
        table = await ops("list", "--limit", "500")
        assert handle.id in table.out and reason in table.out

        shown = await ops("show", handle.id, "--payloads")
        for part in (reason, CAUSE, "docs/operations.md#runbook", "Send one mail"):
            assert part in shown.out
        assert handle.id.removeprefix("mail:") in shown.out.partition("input 1:")[2]
        assert "input 1" not in (await ops("show", handle.id)).out

        done = await ops("retry", handle.id, "--operator", "ada", "--note", "it is back")
        assert (done.code, done.out.strip()) == (0, "send: tried again")
        assert await handle.result() == MailEnd("sent")
    (entry,) = scripted.audits
    assert (entry.action, entry.actor_name) == ("mail.step_retried", "ada")
    assert entry.detail == {"step": "send", "note": "it is back"}


async def test_a_step_is_left_out_where_that_is_safe(
    temporal_client: Client, ops: Ops, reason: str
) -> None:
    async with sending(temporal_client, Scripted(fails=[blocked(reason)])) as handle:
        await waiting(handle)
        assert (await ops("skip", handle.id, "--step", "send", "--operator", "ada")).code == 0
        assert await handle.result() == MailEnd("skipped")


async def test_all_runs_of_one_reason_are_tried_again_once_somebody_agrees(
    temporal_client: Client, ops: Ops, reason: str
) -> None:
    one, other = Scripted(fails=[blocked(reason)]), Scripted(fails=[blocked(reason)])
    async with sending(temporal_client, one) as first, sending(temporal_client, other) as second:
        await waiting(first)
        await waiting(second)
        async with asyncio.timeout(15):
            while len(await listed(ops, reason)) < 2:
                await asyncio.sleep(0.1)
        asked = await ops("retry", "--reason", reason)
        assert (asked.code, "2 steps wait" in asked.out) == (1, True)
        assert "--yes" in asked.err
        assert one.tries == other.tries == 1
        done = await ops("retry", "--reason", reason, "--yes", "--operator", "ada")
        assert done.code == 0, done.err
        assert await first.result() == await second.result() == MailEnd("sent")
    nothing = await ops("retry", "--reason", reason, "--yes")
    assert (nothing.code, "No run waits" in nothing.err) == (1, True)


async def test_what_is_refused_is_said_in_a_sentence(
    temporal_client: Client, ops: Ops, reason: str
) -> None:
    unknown = await ops("retry", "mail:nobody", "--step", "send", "--operator", "ada")
    assert (unknown.code, "There is no run mail:nobody" in unknown.err) == (1, True)
    assert (await ops("show", "mail:nobody")).code == 1
    async with sending(temporal_client, Scripted(fails=[blocked(reason)])) as handle:
        await waiting(handle)
        wrong = await ops("retry", handle.id, "--step", "inspect", "--operator", "ada")
        assert wrong.code == 1
        assert "waiting: send" in wrong.err
        nobody = await ops("retry", handle.id, "--operator", " ")
        assert (nobody.code, "say who decides" in nobody.err) == (1, True)
        await handle.cancel()


async def test_a_server_that_is_away_is_said_so(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    said = await ops("list")
    assert (said.code, "Temporal can't be reached" in said.err) == (3, True)
    monkeypatch.setenv("PAYLOAD_KEYS", "short")
    assert (await ops("list")).code == 2


async def test_a_media_is_processed_again(
    temporal_client: Client, ops: Ops, engine: Engine, make_media: MakeMedia
) -> None:
    media = make_media(state="ready", generation=1, published_generation=1)
    nobody = await ops("reprocess", media.id, "--operator", " ")
    assert (nobody.code, "say who decides" in nobody.err) == (1, True)
    said = await ops("reprocess", media.id, "--operator", "ada")
    assert said.code == 0, said.err
    run = temporal_client.get_workflow_handle(ingest_workflow_id(media.id, 2))
    assert (await run.describe()).status is not None
    await run.terminate()
    with transaction(engine) as session:
        row = session.get_one(Media, media.id)
        assert (row.state, row.generation) == ("playable", 2)
        (entry,) = session.scalars(select(AuditEntry))
        assert (entry.actor_name, entry.action) == ("ada", "media.reprocessed")
    again = await ops("reprocess", media.id)
    assert (again.code, "It is being processed" in again.err) == (1, True)
    missing = await ops("reprocess", media.id, "--rendition", "w9")
    assert (missing.code, "no rendition w9" in missing.err) == (1, True)
    assert (await ops("reprocess", str(uuid4()))).code == 1


async def test_books_and_log_are_held_against_what_they_should_be(
    ops: Ops, engine: Engine, make_media: MakeMedia
) -> None:
    await ops("reprocess", make_media(state="ready", published_generation=1).id)
    whole = await ops("verify-audit")
    assert (whole.code, "one unbroken chain" in whole.out) == (0, True)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql("UPDATE audit_log SET actor_name = 'eve'")
    broken = await ops("verify-audit", "--expect", str(verify(engine).head))
    assert (broken.code, "BROKEN: position 1" in broken.out) == (1, True)
    books = await ops("reconcile", "--days", "1")
    assert (books.code, "sources compared" in books.out) == (0, True)
