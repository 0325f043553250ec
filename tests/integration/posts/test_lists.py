"""Lists of posts: whole, in order, by one statement each, and without reading all there is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from devstack.databases import empty_tables
from domain.access import Caller
from domain.accounts import Role
from domain.errors import NotFound, Unauthenticated
from domain.paging import Keyset
from domain.posts import PostState
from infra.ids import new_id
from infra.models import User
from infra.queries.access.posts import OpenedPost, decide_posts, open_post
from infra.queries.posts.comments import list_comments
from infra.queries.posts.lists import FEED_SQL, PostPage, feed, own_posts, posts_of_creator
from infra.reads import ReadPool, Row
from infra.settings import Settings
from tests.harness.plans import plan_nodes, rows_read
from tests.harness.posts import FollowCreator, MakePost, write_post
from tests.harness.rows import Entitle, MakeMedia, MakeUser
from tests.integration.api.test_access_worlds import World, make_world, write_world

NOW = datetime.now(UTC)
MINUTE = timedelta(minutes=1)


class CountedReads(ReadPool):
    """Counts the statements that it sends."""

    statements = 0

    async def _fetch(self, sql: bytes, params: Mapping[str, Any]) -> list[Row]:
        self.statements += 1
        return await super()._fetch(sql, params)


@pytest.fixture
async def reads(settings: Settings, engine: Engine) -> AsyncIterator[CountedReads]:
    del engine  # Asked for, because it empties the tables.
    pool = CountedReads(settings)
    await pool.open()
    yield pool
    await pool.close()


async def whole_feed(reads: ReadPool, caller: Caller, limit: int) -> list[OpenedPost]:
    after: Keyset | None = None
    found: list[OpenedPost] = []
    while True:
        page = await feed(reads, caller=caller, now=NOW, limit=limit, after=after)
        assert len(page.posts) == limit or page.next is None
        found += page.posts
        if page.next is None:
            return found
        after = page.next


def in_feed(world: World) -> list[str]:
    """Ids of what the world's viewer should find in their feed, newest first."""
    found = []
    for owner in world.owners:
        rights = [each for each in owner.grants if each.media_id is None and each.post_id is None]
        hidden = owner.standing.blocked or world.country in owner.standing.blocked_countries
        if not owner.is_there or hidden:
            continue
        if owner.standing.follows or any(each.is_live(NOW) for each in rights):
            found += [post for post, _ in owner.posts if post.state == PostState.PUBLISHED]
    return [post.id for post in sorted(found, key=_place, reverse=True)]


def _place(post: Any) -> tuple[datetime, str]:
    return post.published_at, post.id


async def test_the_feed_of_random_worlds_is_whole_and_in_order(
    reads: CountedReads, engine: Engine
) -> None:
    lengths = set()
    for seed in range(100, 140):
        world = make_world(seed)
        write_world(engine, world)
        caller = Caller(world.viewer.id, country=world.country)
        posts = await whole_feed(reads, caller, limit=2)
        assert [each.post.id for each in posts] == in_feed(world), seed
        lengths.add(len(posts))
    assert {0, 1} < lengths, "the worlds hold feeds of several pages"


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    minutes=st.lists(st.integers(1, 5), max_size=12),
    limit=st.integers(1, 4),
    newer=st.lists(st.integers(-5, 0), max_size=4),
)
@example(minutes=[1] * 9, limit=2, newer=[0, 0])
async def test_pages_joined_are_all_there_was_whatever_is_published_meanwhile(
    settings: Settings, worker_engine: Engine, minutes: list[int], limit: int, newer: list[int]
) -> None:
    """Several posts may have one and the same time."""
    pool = ReadPool(settings)
    await pool.open()
    try:
        await _read_while_others_publish(pool, worker_engine, minutes, limit, newer)
    finally:
        await pool.close()
        empty_tables(worker_engine)


async def _read_while_others_publish(
    pool: ReadPool, engine: Engine, minutes: list[int], limit: int, newer: list[int]
) -> None:
    creator, fan = _creator_and_fan(engine)
    there = [write_post(engine, creator, published_at=NOW - each * MINUTE).id for each in minutes]
    found: list[str] = []
    after: Keyset | None = None
    meanwhile = list(newer)
    while True:
        page = await feed(pool, caller=Caller(fan.id), now=NOW, limit=limit, after=after)
        found += [each.post.id for each in page.posts]
        if page.next is None:
            break
        after = page.next
        if meanwhile:
            write_post(engine, creator, published_at=NOW - meanwhile.pop() * MINUTE)
    assert len(found) == len(set(found))
    assert set(there) == set(found)


def _creator_and_fan(engine: Engine) -> tuple[User, User]:
    creator, fan = (
        User(id=new_id(), handle=f"u{new_id()[-12:]}", display_name="x", role=role)
        for role in ("creator", "fan")
    )
    with engine.begin() as connection:
        for each in (creator, fan):
            connection.execute(
                text(
                    "INSERT INTO users (id, handle, display_name, role) "
                    "VALUES (:id, :handle, 'x', :role)"
                ),
                {"id": each.id, "handle": each.handle, "role": each.role},
            )
        connection.execute(text("INSERT INTO creators (user_id) VALUES (:id)"), {"id": creator.id})
        connection.execute(
            text("INSERT INTO follows (fan_id, creator_id) VALUES (:fan, :creator)"),
            {"fan": fan.id, "creator": creator.id},
        )
    return creator, fan


async def test_every_list_is_one_statement(
    reads: CountedReads,
    make_user: MakeUser,
    make_post: MakePost,
    make_media: MakeMedia,
    follow: FollowCreator,
    entitle: Entitle,
) -> None:
    fan, creators = make_user(), [make_user(role=Role.CREATOR) for _ in range(3)]
    posts = []
    for creator in creators:
        follow(fan, creator)
        entitle(fan, creator_id=creator.id)
        posts += [make_post(creator, media=[make_media(owner=creator)]) for _ in range(5)]
    fan_caller, owner_caller = Caller(fan.id), Caller(creators[0].id)
    page: dict[str, Any] = {"now": NOW, "limit": 100, "after": None}
    calls: list[Any] = [
        lambda: feed(reads, caller=fan_caller, **page),
        lambda: posts_of_creator(
            reads, caller=fan_caller, creator_id=creators[0].id, pinned=False, **page
        ),
        lambda: own_posts(reads, caller=owner_caller, state=None, **page),
        lambda: list_comments(reads, caller=fan_caller, post_id=posts[0].id, **page),
        lambda: open_post(reads, caller=fan_caller, post_id=posts[0].id, now=NOW),
        lambda: decide_posts(
            reads, caller=fan_caller, post_ids=[each.id for each in posts], now=NOW
        ),
    ]
    for number, call in enumerate(calls, start=1):
        await call()
        assert reads.statements == number


async def test_a_feed_of_nothing_knows_whether_its_reader_is_still_there(
    reads: CountedReads, make_user: MakeUser
) -> None:
    page: dict[str, Any] = {"now": NOW, "limit": 5, "after": None}
    assert await feed(reads, caller=Caller(make_user().id), **page) == PostPage([], None)
    with pytest.raises(Unauthenticated):
        await feed(reads, caller=Caller(new_id()), **page)


async def test_whom_the_viewer_may_not_know_of_has_no_list(
    reads: CountedReads, make_user: MakeUser, make_post: MakePost
) -> None:
    fan, suspended = make_user(), make_user(role=Role.CREATOR, suspended_at=NOW)
    make_post(suspended, audience="public")
    page: dict[str, Any] = {"now": NOW, "limit": 5, "after": None, "pinned": False}
    for creator_id in (suspended.id, fan.id, new_id()):
        for viewer_id in (fan.id, None):
            with pytest.raises(NotFound):
                await posts_of_creator(
                    reads, caller=Caller(viewer_id), creator_id=creator_id, **page
                )
    quiet = make_user(role=Role.CREATOR)
    empty = await posts_of_creator(reads, caller=Caller(None), creator_id=quiet.id, **page)
    assert empty == PostPage([], None)


async def test_pages_of_who_is_not_signed_in_are_full(
    reads: CountedReads, make_user: MakeUser, make_post: MakePost
) -> None:
    """What they may not know of is left out before pages are cut."""
    creator = make_user(role=Role.CREATOR)
    posts = [
        make_post(creator, audience=audience, published_at=NOW - number * MINUTE)
        for number, audience in enumerate(["subscribers", "public", "paid", "followers", "public"])
    ]
    public = [each.id for each in posts if each.audience == "public"]
    page: dict[str, Any] = {"creator_id": creator.id, "pinned": False, "now": NOW, "limit": 1}
    first = await posts_of_creator(reads, caller=Caller(None), after=None, **page)
    second = await posts_of_creator(reads, caller=Caller(None), after=first.next, **page)
    assert [each.post.id for each in (*first.posts, *second.posts)] == public
    assert second.next is None


async def test_the_feed_reads_an_index_and_never_all_posts(
    engine: Engine, make_user: MakeUser
) -> None:
    fan = make_user()
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO users (id, handle, display_name, role) "
            "SELECT uuidv7(), 'c' || n, 'x', 'creator' FROM generate_series(1, 200) n",
            "INSERT INTO creators (user_id) SELECT id FROM users WHERE role = 'creator'",
            "INSERT INTO follows (fan_id, creator_id) "
            f"SELECT '{fan.id}', user_id FROM creators LIMIT 100",
            "INSERT INTO posts (id, creator_id, state, audience, published_at) "
            "SELECT uuidv7(), user_id, 'published', 'public', now() - n * interval '1 minute' "
            "FROM creators, generate_series(1, 50) n",
            "ANALYZE users, creators, follows, posts",
        ):
            connection.exec_driver_sql(statement)
    nodes = plan_nodes(engine, FEED_SQL, viewer_id=fan.id, now=NOW)
    on_posts = [node for node in nodes if node.get("Relation Name") == "posts"]
    assert {node["Node Type"] for node in on_posts} <= {"Index Scan", "Index Only Scan"}
    assert rows_read(nodes, "posts") <= 100 + 21 * 21 + 21, (
        "one of each creator, a page of 21, and the page itself"
    )
