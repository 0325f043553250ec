from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from domain.accounts import Role
from tests.harness.earnings import Earner
from tests.harness.rows import MakeUser


@pytest.fixture
def earner(engine: Engine, make_user: MakeUser) -> Earner:
    """A creator with a verified address, who has earned nothing yet."""
    user = make_user(
        role=Role.CREATOR, email="earner@example.com", email_verified_at=datetime.now(UTC)
    )
    return Earner(engine, user)
