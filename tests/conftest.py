"""Fixtures for every layer. Nothing is started until a test asks for it."""

from __future__ import annotations

import gc

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

gc.disable()


def pytest_collection_finish() -> None:
    """What is imported and collected stays to the end: the collector, which is off till then, need
    not look at it again and again."""
    gc.freeze()
    gc.enable()
