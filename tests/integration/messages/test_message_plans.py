"""Who has thousands of conversations, messages and receivers reads a page of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from domain.accounts import Role
from infra.models import Media, Message, User
from infra.queries.access import DECIDE_MANY_SQL
from infra.queries.access.messages import CONVERSATION_SQL
from infra.queries.messages.lists import MY_CONVERSATIONS_SQL
from tests.harness.messages import write_message
from tests.harness.plans import plan_nodes, rows_read
from tests.harness.rows import MakeMedia, MakeUser

MANY = 3000
PAGE = 21


@pytest.fixture(autouse=True)
def statistics_are_forgotten(worker_engine: Engine) -> Iterator[None]:
    """What is known of tables that were full must not plan the statements of other tests."""
    yield
    with worker_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        tables = "users, creators, conversations, messages, message_media"
        connection.exec_driver_sql(f"VACUUM ANALYZE {tables}")


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


@pytest.fixture
def media(creator: User, make_media: MakeMedia) -> Media:
    return make_media(owner=creator, state="ready")


@pytest.fixture
def message(engine: Engine, creator: User, media: Media, make_user: MakeUser) -> Message:
    """To one fan of thousands, who all got the same media; this one got much else."""
    sent = write_message(
        engine, creator, make_user(), media=[media], price_minor=500, currency="USD"
    )
    with engine.begin() as connection:
        for statement in (
            f"""INSERT INTO users (id, handle, display_name, role)
            SELECT uuidv7(), 'fan-' || n, 'Fan', 'fan' FROM generate_series(1, {MANY}) n""",
            f"""INSERT INTO conversations (id, creator_id, fan_id, last_seq, last_message_at)
            SELECT uuidv7(), '{creator.id}', u.id, 1, now() - random() * interval '1 day'
            FROM users u WHERE u.handle LIKE 'fan-%%' AND u.display_name = 'Fan'""",
            f"""INSERT INTO messages
                (id, conversation_id, seq, sender_id, client_msg_id, body, state, media_count)
            SELECT uuidv7(), c.id, 1, '{creator.id}', uuidv7(), 'x', 'sent', 1
            FROM conversations c WHERE c.id <> '{sent.conversation_id}'""",
            f"""INSERT INTO message_media (message_id, media_id, position, receiver_id)
            SELECT m.id, '{media.id}', 0, c.fan_id
            FROM messages m JOIN conversations c ON c.id = m.conversation_id
            WHERE m.id <> '{sent.id}'""",
            f"""INSERT INTO messages
                (id, conversation_id, seq, sender_id, client_msg_id, body, state)
            SELECT uuidv7(), '{sent.conversation_id}', n, '{creator.id}', uuidv7(), 'x', 'sent'
            FROM generate_series(2, {MANY}) n""",
            "ANALYZE users, conversations, messages, message_media",
        ):
            connection.exec_driver_sql(statement)
    return sent


@pytest.mark.usefixtures("message")
def test_a_creator_with_thousands_of_fans_reads_a_page_of_conversations(
    engine: Engine, creator: User
) -> None:
    nodes = plan_nodes(engine, MY_CONVERSATIONS_SQL, viewer_id=creator.id)
    assert rows_read(nodes, "conversations") <= PAGE + 1


def test_a_page_of_a_long_conversation_is_read_from_its_end(
    engine: Engine, creator: User, message: Message
) -> None:
    nodes = plan_nodes(
        engine,
        CONVERSATION_SQL,
        viewer_id=creator.id,
        conversation_id=message.conversation_id,
        before=2**63 - 1,
        now=datetime.now(UTC),
    )
    assert rows_read(nodes, "messages") <= PAGE


def test_a_media_that_thousands_got_is_decided_by_what_one_got(
    engine: Engine, media: Media, make_user: MakeUser, message: Message
) -> None:
    del message
    nodes = plan_nodes(
        engine,
        DECIDE_MANY_SQL,
        viewer_id=make_user().id,
        media_ids=[media.id],
        now=datetime.now(UTC),
    )
    assert rows_read(nodes, "message_media") <= 2
