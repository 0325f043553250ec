"""No list reads more of what it leaves out than of what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from domain.accounts import Role
from domain.posts import PostState
from infra.models import User
from infra.queries.creators.following import FOLLOWING_SQL
from infra.queries.posts.comments import COMMENTS_SQL
from infra.queries.posts.lists import OF_CREATOR_SQL, OWN_SQL
from infra.queries.users.blocks import BLOCKED_SQL
from tests.harness.plans import plan_nodes, rows_read
from tests.harness.posts import MakePost
from tests.harness.rows import MakeUser

NOW = datetime.now(UTC)
MANY = 5000
OTHERS = 4
"""Somebody else has so many times as many."""
PAGE = 21


@pytest.fixture(autouse=True)
def statistics_are_of_empty_tables(worker_engine: Engine) -> Iterator[None]:
    """What is known of tables that were full plans neither these statements nor those of other
    tests; asked for before `engine`, so the end comes after that has emptied them."""
    _forget_statistics(worker_engine)
    yield
    _forget_statistics(worker_engine)


def _forget_statistics(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


@pytest.fixture
def creator(engine: Engine, make_user: MakeUser, make_post: MakePost) -> User:
    """With thousands of posts for subscribers and, older than these, one of each other kind; among
    more posts of somebody else, since a table of one creator's alone is as well read whole."""
    made, other = (make_user(role=Role.CREATOR) for _ in range(2))
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    make_post(made, audience="public", published_at=long_ago)
    make_post(made, published_at=long_ago, pinned_at=NOW)
    make_post(made, state="draft", created_at=long_ago)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO posts (id, creator_id, state, audience, published_at) "
            f"SELECT uuidv7(), '{made.id}', 'published', 'subscribers', now() - n * interval '1s' "
            f"FROM generate_series(1, {MANY}) n"
        )
        connection.exec_driver_sql(
            "INSERT INTO posts (id, creator_id, state, audience, published_at) "
            f"SELECT uuidv7(), '{other.id}', state, audience, published_at "
            f"FROM posts, generate_series(1, {OTHERS}) WHERE published_at IS NOT NULL"
        )
        connection.exec_driver_sql("ANALYZE posts")
    return made


@pytest.mark.parametrize(
    ("signed_in", "pinned", "there"),
    [(True, False, PAGE), (False, False, 1), (True, True, 1), (False, True, 1)],
)
async def test_a_creators_posts_are_found_among_many(
    engine: Engine,
    creator: User,
    make_user: MakeUser,
    signed_in: bool,
    pinned: bool,
    there: int,
) -> None:
    viewer_id = make_user().id if signed_in else None
    nodes = plan_nodes(
        engine,
        OF_CREATOR_SQL[signed_in, pinned],
        viewer_id=viewer_id,
        creator_id=creator.id,
        now=NOW,
    )
    assert rows_read(nodes, "posts") <= 2 * there, "each once to find it and once to show it"


@pytest.mark.parametrize(
    ("state", "there"),
    [(None, PAGE), (PostState.DRAFT, 1), (PostState.SCHEDULED, 0), (PostState.PUBLISHED, PAGE)],
)
async def test_ones_own_posts_are_found_among_many(
    engine: Engine, creator: User, state: PostState | None, there: int
) -> None:
    nodes = plan_nodes(engine, OWN_SQL[state], viewer_id=creator.id, now=NOW)
    assert rows_read(nodes, "posts") <= 2 * there + 1


async def test_a_page_of_comments_does_not_read_all_blocks_of_its_reader(
    engine: Engine, make_user: MakeUser, make_post: MakePost
) -> None:
    reader, author = make_user(), make_user()
    post = make_post(make_user(role=Role.CREATOR), audience="public")
    _write(
        engine,
        f"{_PEOPLE} SELECT uuidv7(), 'p' || n, 'x', 'fan' FROM generate_series(1, {MANY}) n",
        "INSERT INTO blocks (blocker_id, blocked_id) "
        f"SELECT id, '{reader.id}' FROM users WHERE handle ~ '^p[0-9]+$'",
        "INSERT INTO blocks (blocker_id, blocked_id) "
        f"SELECT '{reader.id}', id FROM users WHERE handle ~ '^p[0-9]+$'",
        "INSERT INTO comments (id, post_id, author_id, body) "
        f"SELECT uuidv7(), '{post.id}', '{author.id}', 'x' FROM generate_series(1, {MANY})",
        "ANALYZE users, blocks, comments",
    )
    nodes = plan_nodes(engine, COMMENTS_SQL, viewer_id=reader.id, post_id=post.id, now=NOW)
    assert rows_read(nodes, "blocks") == 0
    assert rows_read(nodes, "comments") <= PAGE


async def test_follows_and_blocks_are_read_in_the_order_of_time(
    engine: Engine, make_user: MakeUser
) -> None:
    fan = make_user()
    _write(
        engine,
        f"{_PEOPLE} SELECT uuidv7(), 'p' || n, 'x', 'creator' FROM generate_series(1, {MANY}) n",
        "INSERT INTO creators (user_id) SELECT id FROM users WHERE handle ~ '^p[0-9]+$'",
        "INSERT INTO follows (fan_id, creator_id, created_at) "
        f"SELECT '{fan.id}', user_id, now() - random() * interval '1 year' FROM creators",
        "INSERT INTO blocks (blocker_id, blocked_id, created_at) "
        f"SELECT '{fan.id}', user_id, now() - random() * interval '1 year' FROM creators",
        "ANALYZE users, creators, follows, blocks",
    )
    for sql, table in ((FOLLOWING_SQL, "follows"), (BLOCKED_SQL, "blocks")):
        nodes = plan_nodes(engine, sql, viewer_id=fan.id)
        assert rows_read(nodes, table) <= PAGE + 1, table


_PEOPLE = "INSERT INTO users (id, handle, display_name, role)"


def _write(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
