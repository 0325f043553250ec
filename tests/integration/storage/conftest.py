"""Keys that no other test uses."""

from __future__ import annotations

import uuid

import pytest


@pytest.fixture
def key() -> str:
    return f"t/{uuid.uuid4()}/original"
