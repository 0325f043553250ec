from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from infra.ids import new_id
from infra.models import User
from infra.queries.ledger import verify
from tests.integration.ledger.books import Books


@pytest.fixture
def books(session: Session) -> Books:
    """Of a new creator; rolled back with the test's session."""
    creator_id = new_id()
    handle = f"c{creator_id.replace('-', '')}"
    session.add(User(id=creator_id, handle=handle, display_name="C", role="creator"))
    session.flush()
    return Books(session, creator_id)


@pytest.fixture
def proved(books: Books) -> Iterator[None]:
    """What the test leaves keeps every rule, those that wait for the commit too."""
    yield
    books.session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    assert verify(books.session) == []
