"""Fixtures for every layer. Nothing is started until a test asks for it."""

from __future__ import annotations

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
