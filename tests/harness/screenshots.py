"""`pytest --screenshots FOLDER`: keep the pictures that the documentation shows."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page

COLOURS = 128
Shoot = Callable[[Page, str], None]
"""Take a picture of a page as it is, under a name without an ending."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--screenshots",
        type=Path,
        metavar="FOLDER",
        help="keep pictures of the pages that tests drive, for docs/images",
    )


@pytest.fixture(scope="session")
def shoot(pytestconfig: pytest.Config) -> Shoot:
    """Does nothing unless `--screenshots` says where to."""
    folder: Path | None = pytestconfig.getoption("--screenshots")

    def take(page: Page, name: str) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            taken = io.BytesIO(page.screenshot(animations="disabled"))
            # A palette is a third of the size, and a page of text loses nothing by it.
            Image.open(taken).quantize(COLOURS).save(folder / f"{name}.png", optimize=True)

    return take
