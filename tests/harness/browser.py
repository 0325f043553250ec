"""The system's Chromium, as people have it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",  # root has no user namespaces to put the renderer into
    "--no-proxy-server",
    "--autoplay-policy=no-user-gesture-required",
)


def chromium_path() -> str:
    """Of the system's browser, whatever it is called."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert program is not None, "no Chromium; run: python devstack/install.py tests"
    return program


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, without a window."""
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        yield opened
        opened.close()
