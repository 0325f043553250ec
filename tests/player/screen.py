"""A viewer's screen: the page, what it shows, and what it complains of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page, Route

WAIT_MS = 30_000


@dataclass(frozen=True)
class State:
    """The page's `state()`. Sizes are (width, height) of pictures, 0 before there is one."""

    time: float
    seconds: float | None
    ended: bool
    size: tuple[int, int]
    levels: tuple[tuple[int, int], ...]
    frames: int
    sound_bytes: int
    buffered: tuple[tuple[float, float], ...]
    fatal: dict[str, str] | None


@dataclass(frozen=True)
class Screen:
    page: Page
    api_url: str

    def ask(self, media_id: str, token: str) -> tuple[int, str | None]:
        """Status of the playback call, and the address of the master playlist."""
        wish = {"api": self.api_url, "mediaId": media_id, "token": token}
        answer: dict[str, Any] = self.page.evaluate("wish => open(wish)", wish)
        return answer["status"], answer["url"]

    def play(self, url: str) -> None:
        self.page.evaluate("url => play(url)", url)

    def until(self, condition: str, *, argument: object = None) -> State:
        """Wait until a condition in the page's words holds.

        Raises:
            playwright.sync_api.TimeoutError: it does not.
        """
        self.page.wait_for_function(condition, arg=argument, timeout=WAIT_MS)
        return self.state()

    def state(self) -> State:
        told: dict[str, Any] = self.page.evaluate("state()")
        return State(
            time=told["time"],
            seconds=told["seconds"],
            ended=told["ended"],
            size=tuple(told["size"]),
            levels=tuple(map(tuple, told["levels"])),
            frames=told["frames"],
            sound_bytes=told["soundBytes"],
            buffered=tuple(map(tuple, told["buffered"])),
            fatal=told["fatal"],
        )

    def grey_at(self, seconds: float) -> float:
        """What is in the middle of the frame of that moment."""
        self.page.evaluate("seconds => seek(seconds)", seconds)
        colour: list[int] = self.page.evaluate("middle()")
        return sum(colour) / 3

    def answer_keys(self, *, status: int, body: bytes = b"") -> None:
        """Put something else in the place of every key that the page asks for."""

        def answer(route: Route) -> None:
            route.fulfill(status=status, body=body, headers={"access-control-allow-origin": "*"})

        self.page.route("**/hls/key?*", answer)


@contextmanager
def screen(browser: Browser, *, origin: str, api_url: str) -> Iterator[Screen]:
    """A fresh page that knows nothing of the one before."""
    context = browser.new_context(viewport={"width": 640, "height": 360})
    try:
        page = context.new_page()
        page.goto(f"{origin}/player.html")
        yield Screen(page, api_url)
    finally:
        context.close()
