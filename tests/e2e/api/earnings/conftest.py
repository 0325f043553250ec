"""A creator who has earned something, with staff around."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.e2e.api.admin.conftest import Office, office
from tests.harness.earnings import Earner

__all__ = ["office"]


@pytest.fixture
def earner(office: Office, engine: Engine) -> Earner:
    return Earner(engine, office.people.owner.user)
