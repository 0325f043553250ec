"""An operator's way through Temporal's own UI: find the run, read it, decide, see it finish."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import quote

import httpx2
import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect
from sqlalchemy import Engine

from devstack.stack import ROOT
from domain.ids import ingest_workflow_id
from infra.storage import Storage
from tests.e2e.media import pictures
from tests.e2e.media.person import Person
from tests.e2e.media.platform import Platform, deployed
from tests.e2e.media.staff import Operator
from tests.harness.browser import browser
from tests.harness.faulty_s3 import FaultyS3
from tests.harness.screenshots import Shoot
from workflows.queues import Queue

__all__ = ["browser"]

pytestmark = pytest.mark.timeout(300)

WINDOW = ViewportSize(width=1440, height=900)
PATIENCE_MILLISECONDS = 30_000
expect.set_options(timeout=PATIENCE_MILLISECONDS)
START_SECONDS = 30.0


@dataclass(frozen=True)
class Night:
    """A run that waits, and what mends its cause."""

    platform: Platform
    store: FaultyS3
    owner: Person
    media_id: str
    ui: str

    @property
    def run_id(self) -> str:
        return ingest_workflow_id(self.media_id)


@contextmanager
def codec_running(environment: dict[str, str]) -> Iterator[None]:
    """`python -m ops.codec` on the port that the stack's UI asks."""
    process = subprocess.Popen([sys.executable, "-m", "ops.codec"], cwd=ROOT, env=environment)
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert process.poll() is None, "the codec did not start"
            try:
                httpx2.get(f"http://127.0.0.1:{environment['CODEC_PORT']}/", trust_env=False)
                break
            except httpx2.ConnectError:
                assert time.monotonic() < deadline, "the codec does not answer"
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(START_SECONDS)


@pytest.fixture
def night(
    stack_environment: dict[str, str], storage: Storage, worker_engine: Engine
) -> Iterator[Night]:
    with ExitStack() as stack:
        store = stack.enter_context(FaultyS3(stack_environment["S3_ENDPOINT"]).running())
        platform = stack.enter_context(
            deployed(stack_environment, name="night", storage=storage, engine=worker_engine)
        )
        stack.enter_context(codec_running(stack_environment))
        stack.enter_context(platform.working(Queue.WORKFLOWS, Queue.IO))
        stack.enter_context(platform.working(Queue.MEDIA, s3_endpoint=store.address))
        owner = platform.creator()
        uploads = [owner.send(pictures.photo(number)) for number in range(30, 33)]
        for upload in uploads:
            store.deny("HEAD", f"/o/{upload['media_id']}")
        media_ids = [owner.complete(upload) for upload in uploads]
        for media_id in media_ids:
            Operator(platform).until_waiting(media_id)
        yield Night(platform, store, owner, media_ids[0], stack_environment["TEMPORAL_UI_URL"])


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=WINDOW)
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    yield context.new_page()
    context.close()


def test_a_waiting_run_is_found_read_retried_and_seen_to_finish(
    night: Night, page: Page, shoot: Shoot
) -> None:
    waiting = f"{night.ui}/namespaces/default/workflows?query={quote('NeedsAttention=true')}"
    page.goto(waiting)
    found = page.get_by_role("link", name=night.run_id)
    expect(found).to_be_visible()
    shoot(page, "temporal-needs-attention")

    found.click()
    # What is stored encrypted is read: the codec was asked.
    expect(box(page, "Input")).to_contain_text(f'"media_id": "{night.media_id}"')
    expect(page.get_by_text("Making the picture's renditions")).to_be_visible()
    shoot(page, "temporal-waiting-run")

    page.get_by_role("tab", name="User Metadata").click()
    # Summary, details, current details: the UI keeps what runs say in frames of their own.
    details = page.locator("iframe").last.content_frame
    expect(details.get_by_role("heading", name="Needs attention: render")).to_be_visible()
    expect(details.get_by_text("Storage refused our keys.")).to_be_visible()
    shoot(page, "temporal-waiting")

    night.store.allow("HEAD", f"/o/{night.media_id}")
    page.get_by_role("button", name="More Actions").click()
    page.get_by_role("menuitem", name="Send an Update").click()
    asked = page.get_by_role("dialog", name="Send an Update")
    asked.get_by_role("button", name="Select an Update").click()
    option = page.get_by_role("option", name="retry_step")
    option.click()
    expect(option).to_be_hidden()
    choice = {"step": "render", "operator": "ada", "note": "The bucket's policy is mended."}
    asked.get_by_role("textbox", name="Data").fill(json.dumps(choice))
    # Left, the field sets its text out in lines, and the button moves.
    asked.get_by_role("textbox", name="Data").blur()
    expect(asked.get_by_role("textbox", name="Data")).to_contain_text("operator")
    shoot(page, "temporal-update")
    asked.get_by_role("button", name="Submit").click()
    expect(asked).to_be_hidden()

    page.get_by_role("tab", name="Timeline").click()
    expect(page.get_by_role("status").filter(has_text="Completed")).to_be_visible()
    expect(box(page, "Result")).to_contain_text('"ready"')
    shoot(page, "temporal-finished")

    (decided,) = night.platform.audit(night.media_id, "media.step_retried")
    assert (decided.actor_name, decided.detail["note"]) == ("ada", choice["note"])
    page.goto(waiting)
    expect(page.get_by_role("link", name="ingest:").first).to_be_visible()
    expect(found).to_be_hidden()


def box(page: Page, name: str) -> Locator:
    """A payload, as the run's page shows it."""
    return page.get_by_role("textbox", name=name)
