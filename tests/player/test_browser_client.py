"""The pages of `clients/browser`: a file goes up in parts, one is lost, and it is played."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, Route
from sqlalchemy import Engine

from devstack.databases import empty_tables
from infra.storage import Storage
from tests.e2e.media import clips
from tests.e2e.media.person import Person
from tests.e2e.media.platform import Platform, deployed

pytestmark = pytest.mark.timeout(180)

MIB = 1024 * 1024
PART = 5 * MIB
"""S3's smallest part that is not the last."""
PARTS = 3
SECOND = "**/*partNumber=2&*"
WAIT_MS = 60_000
TICKET_MS = 1_100
"""Tickets tell whole seconds: one asked for later is another address."""


@pytest.fixture
def platform(
    stack_environment: dict[str, str], storage: Storage, worker_engine: Engine, page_origin: str
) -> Iterator[Platform]:
    small = ("UPLOAD_SINGLE_PUT_BYTES_MAX", "UPLOAD_PART_BYTES_MIN", "UPLOAD_PART_BYTES_MAX")
    with (
        deployed(
            stack_environment,
            name="browser",
            storage=storage,
            engine=worker_engine,
            CORS_ORIGINS=page_origin,
            **dict.fromkeys(small, str(PART)),
        ) as it,
        it.working(),
    ):
        with closing(Storage(it.settings)) as allowing:
            allowing.ensure_buckets()
        yield it
    empty_tables(worker_engine)


@pytest.fixture
def page(browser: Browser, page_origin: str) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto(f"{page_origin}/upload.html")
    yield page
    context.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A video of several parts: behind it lies room that players skip (ISO 14496-12, `free`)."""
    film = clips.real().content
    free = PART * (PARTS - 1) + MIB - len(film)
    path = tmp_path / "bunny.mp4"
    path.write_bytes(film + struct.pack(">I4s", free, b"free") + bytes(free - 8))
    return path


def fill_in(page: Page, platform: Platform, person: Person) -> None:
    token = str(person.http.headers["authorization"]).removeprefix("Bearer ")
    page.fill("[name=api]", platform.api.url)
    page.fill("[name=token]", token)


def says(page: Page, beginning: str) -> str:
    """What the page says, once it begins so."""
    output = page.locator("output")
    page.wait_for_function(
        "beginning => document.querySelector('output').value.startsWith(beginning)", arg=beginning
    )
    return output.inner_text()


def test_an_upload_that_lost_a_part_goes_on_and_is_played(
    platform: Platform, page: Page, page_origin: str, file: Path
) -> None:
    owner = platform.creator()
    lost: list[Route] = []

    def lose(route: Route) -> None:
        lost.append(route)
        route.abort()

    page.route(SECOND, lose)
    fill_in(page, platform, owner)
    page.set_input_files("[name=file]", file)
    page.click("text=Upload")
    assert says(page, "interrupted").endswith("Press Upload to go on.")
    assert len(lost) == 3, "each part is tried again before the upload is given up"

    # The page is closed and opened again, as on another day.
    page.unroute(SECOND)
    page.reload()
    sent: list[Request] = []
    page.on("request", lambda each: sent.append(each) if each.method == "PUT" else None)
    fill_in(page, platform, owner)
    page.set_input_files("[name=file]", file)
    page.route("**/events", lambda route: route.abort(), times=1)
    page.click("text=Upload")
    media_id = says(page, "ready").removeprefix("ready: ")
    assert len(sent) == 1 and "partNumber=2&" in sent[0].url, "only what was lost is sent again"
    assert page.evaluate("document.querySelector('progress').value") == 1
    assert owner.media(media_id)["state"] == "ready"

    owner.call("POST", "/media:batchEdit", media_ids=[media_id], visibility="gated")
    watch_as_fan(page, platform, page_origin, owner=owner, media_id=media_id)


def watch_as_fan(
    page: Page, platform: Platform, origin: str, *, owner: Person, media_id: str
) -> None:
    fan = platform.fan()
    page.goto(f"{origin}/play.html")
    fill_in(page, platform, fan)
    page.fill("[name=media]", media_id)
    page.click("text=Play")
    assert says(page, "locked") == "locked: subscribe"

    platform.entitle(fan, owner)
    asked: list[Route] = []

    def hold_first(route: Route) -> None:
        asked.append(route)
        if len(asked) > 1:
            route.continue_()

    page.route("**/hls/master.m3u8*", hold_first)
    page.click("text=Play")
    page.wait_for_function("!document.querySelector('video').paused")
    # The address runs out while the video waits for its first picture: the fresh one plays on.
    page.wait_for_timeout(TICKET_MS)
    asked[0].fulfill(status=403, headers={"access-control-allow-origin": "*"})
    page.wait_for_function("document.querySelector('video').currentTime > 0.5")
    assert len(asked) == 2, "an address that had run out was asked for again"
