"""Fixtures for every layer. Nothing is started until a test asks for it."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

pytest_plugins = [
    "tests.harness.database",
    "tests.harness.mail",
    "tests.harness.paying",
    "tests.harness.posts",
    "tests.harness.rows",
    "tests.harness.screenshots",
    "tests.harness.stack",
    "tests.harness.stripe",
    "tests.harness.subscriptions",
]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is imported and collected stays to the end: the collector need not look at it again and
    again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
