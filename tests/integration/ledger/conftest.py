from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from infra.ids import new_id
from infra.models import User
from tests.integration.ledger.books import Books


@pytest.fixture
def books(session: Session) -> Books:
    """Of a new creator; rolled back with the test's session."""
    creator_id = new_id()
    handle = f"c{creator_id.replace('-', '')}"
    session.add(User(id=creator_id, handle=handle, display_name="C", role="creator"))
    session.flush()
    return Books(session, creator_id)
