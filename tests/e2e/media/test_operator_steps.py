"""A step whose budget is spent: what operators and creators see, and what an operator can do.

The media workers meet storage through a proxy that denies what a test names, as a bucket's
policy would; taking that back is the repair.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine
from temporalio.client import WorkflowUpdateFailedError

from domain.ids import ingest_workflow_id
from infra.storage import Storage
from tests.e2e.media import pictures
from tests.e2e.media.person import Person, SourceFile
from tests.e2e.media.platform import Platform, deployed
from tests.e2e.media.staff import Operator
from tests.harness.faulty_s3 import FaultyS3
from tests.integration.media.video_clips import FAST_H264, ffmpeg, picture, tone
from workflows.queues import Queue

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Ward:
    """Runs that wait for an operator, each for one test to decide about."""

    platform: Platform
    store: FaultyS3
    owner: Person
    operator: Operator
    waiting: dict[str, str]
    """Media ids by what a test does with them."""

    def repair(self, media_id: str) -> None:
        self.store.allow("HEAD", f"/o/{media_id}")
        self.store.allow("HEAD", f"/work/{media_id}/")


@pytest.fixture(scope="module")
def ward(
    stack_environment: dict[str, str],
    storage: Storage,
    worker_engine: Engine,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ward]:
    with ExitStack() as stack:
        store = stack.enter_context(FaultyS3(stack_environment["S3_ENDPOINT"]).running())
        platform = stack.enter_context(
            deployed(stack_environment, name="ward", storage=storage, engine=worker_engine)
        )
        stack.enter_context(platform.working(Queue.WORKFLOWS, Queue.IO))
        stack.enter_context(platform.working(Queue.MEDIA, s3_endpoint=store.address))
        owner = platform.creator("ines.uploads")
        waiting = {
            name: _upload_denied(owner, pictures.photo(number), store, "/o/{}")
            for number, name in enumerate(("looked at", "retried", "given up"), start=20)
        }
        clip = _clip(tmp_path_factory.mktemp("clip"))
        waiting["skipped"] = _upload_denied(owner, clip, store, "/work/{}/")
        operator = Operator(platform)
        for name, media_id in waiting.items():
            operator.until_waiting(media_id, steps=2 if name == "skipped" else 1)
        yield Ward(platform, store, owner, operator, waiting)


def _upload_denied(owner: Person, file: SourceFile, store: FaultyS3, path: str) -> str:
    upload = owner.send(file)
    store.deny("HEAD", path.format(upload["media_id"]))
    return owner.complete(upload)


def _clip(folder: Path) -> SourceFile:
    path = folder / "clip.mp4"
    ffmpeg(*picture(1, size="160x120"), *tone(1), *FAST_H264, path)
    return SourceFile("clip.mp4", path.read_bytes(), "video/mp4")


def test_one_query_finds_the_run_and_its_details_say_what_to_do(ward: Ward) -> None:
    media_id = ward.waiting["looked at"]
    assert ward.operator.finds(media_id)
    details = ward.operator.details(media_id)
    assert "### Needs attention: render" in details
    assert "Storage refused our keys." in details
    assert "`retry_step`" in details and '{"step": "render", "operator": "your name"}' in details
    assert "This step can't be skipped. To give the job up, cancel the run." in details
    assert "Traceback" not in details


def test_the_creator_is_told_that_it_takes_longer_and_nothing_of_our_insides(ward: Ward) -> None:
    media = ward.owner.until(
        ward.waiting["looked at"], lambda body: bool(body["manage"]["progress"]["needs_attention"])
    )
    assert media["state"] == "processing"
    progress = media["manage"]["progress"]
    assert progress["step"] == "render"
    assert progress["note"] == ("This step is taking longer than usual; our staff has been told.")
    assert ward.platform.stored(media["id"])["private"] == []


@pytest.mark.parametrize(
    ("choice", "step", "operator", "why"),
    [
        ("retry_step", "publish", "Kim", "'publish' is not waiting for a decision"),
        ("retry_step", "render", "  ", "say who decides"),
        ("skip_step", "render", "Kim", "can't be skipped: the run has no result without"),
    ],
)
def test_a_choice_that_does_not_fit_is_refused_and_changes_nothing(
    ward: Ward, choice: str, step: str, operator: str, why: str
) -> None:
    media_id = ward.waiting["looked at"]
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        ward.operator.decide(media_id, choice, step=step, operator=operator)
    assert why in str(refused.value.cause)
    assert ward.operator.waiting_steps(media_id) == ["render"]
    for action in ("media.step_retried", "media.step_skipped"):
        assert ward.platform.audit(media_id, action) == []


def test_after_the_repair_a_command_finishes_the_run(ward: Ward) -> None:
    """The command is the one that the runbook names; it knows nothing of our encryption."""
    media_id = ward.waiting["retried"]
    ward.repair(media_id)
    choice = {"step": "render", "operator": "Kim Ito", "note": "policy put right"}
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("temporal"), "workflow", "update", "execute"),
            *("--address", ward.platform.settings.temporal_address),
            *("--workflow-id", ingest_workflow_id(media_id), "--name", "retry_step"),
            *("--input", json.dumps(choice)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "render: tried again" in done.stdout
    media = ward.owner.ready(media_id)
    assert media["manage"]["progress"]["needs_attention"] is False
    (entry,) = ward.platform.audit(media_id, "media.step_retried")
    assert entry.actor_name == "Kim Ito"
    assert (entry.detail["step"], entry.detail["note"]) == ("render", "policy put right")
    assert not ward.operator.finds(media_id)
    assert "Needs attention" not in ward.operator.details(media_id)


def test_a_skipped_judgement_holds_the_video_and_skipped_stills_are_left_out(ward: Ward) -> None:
    media_id, owner = ward.waiting["skipped"], ward.owner
    assert ward.operator.waiting_steps(media_id) == ["finish", "moderate"]
    for step in ("finish", "moderate"):
        ward.operator.decide(media_id, "skip_step", step=step, operator="Kim Ito")
    media = owner.settle(media_id)
    assert media["state"] == "held"
    kinds = {each.kind for each in ward.platform.renditions(media_id)}
    assert kinds == {"video", "audio"}
    written = ward.platform.audit(media_id, "media.step_skipped")
    assert {(entry.actor_name, entry.detail["step"]) for entry in written} == {
        ("Kim Ito", "finish"),
        ("Kim Ito", "moderate"),
    }
    fan = ward.platform.fan()
    ward.platform.entitle(fan, owner)
    fan.call("GET", f"/media/{media_id}", status=404)
    assert owner.playback(media_id)["hls_url"]
    refusal = owner.call("POST", f"/media/{media_id}/reprocess", status=409)
    assert refusal["code"] == "held_for_review"


def test_a_run_that_waits_can_be_given_up(ward: Ward) -> None:
    media_id = ward.waiting["given up"]
    ward.owner.call("POST", f"/media/{media_id}/cancel")
    media = ward.owner.settle(media_id)
    assert media["state"] == "cancelled"
    assert media["manage"]["progress"]["needs_attention"] is False
    ward.platform.until_run_over(media_id)
    assert ward.platform.stored(media_id)["private"] == []
