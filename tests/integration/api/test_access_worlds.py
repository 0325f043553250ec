"""Random worlds: what one statement gathers is what the pure decision would be given.

Each world has creators with tiers, posts and media, and one viewer with follows, blocks and
rights among them. The statement's answer is held against `decide` on the same facts, which
are kept here as plain objects and never read back.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from domain.access import (
    HIDDEN,
    Caller,
    Carrier,
    Decision,
    Grant,
    GrantSource,
    Reason,
    Rule,
    Standing,
    Subject,
    Viewer,
    decide,
    media_subject,
    post_subject,
)
from domain.accounts import Role
from domain.media.states import MediaState, Visibility
from domain.posts import Audience, PostState
from infra.db import transaction
from infra.ids import new_id
from infra.models import (
    Base,
    Block,
    Creator,
    Entitlement,
    Follow,
    Media,
    Post,
    PostMedia,
    Tier,
    User,
)
from infra.queries.access import decide_many
from infra.queries.access.posts import decide_posts
from infra.reads import ReadPool
from infra.settings import Settings

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
WORLDS = 40
COUNTRIES = ("DE", "FR")


@dataclass
class Owner:
    """A creator as the decision sees them."""

    user: User
    standing: Standing
    is_there: bool
    tiers: list[Tier] = field(default_factory=list)
    posts: list[tuple[Post, Rule]] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)


@dataclass
class World:
    """Rows to write, and the decisions that they should lead to."""

    chance: random.Random
    viewer: User
    country: str | None
    rows: list[Base] = field(default_factory=list)
    owners: list[Owner] = field(default_factory=list)
    expected: dict[str, Decision] = field(default_factory=dict)
    """Of media, by their ids."""
    expected_of_posts: dict[str, Decision] = field(default_factory=dict)
    places: Iterator[int] = field(default_factory=itertools.count)

    def add(self, *rows: Base) -> None:
        self.rows += rows

    def maybe(self, probability: float) -> bool:
        return self.chance.random() < probability


def user(role: Role, **columns: Any) -> User:
    user_id = new_id()
    return User(id=user_id, handle=user_id, display_name="x", role=role.value, **columns)


def make_world(seed: int) -> World:
    chance = random.Random(seed)
    viewer = user(chance.choice([Role.FAN, Role.FAN, Role.CREATOR, Role.MODERATOR]))
    world = World(chance, viewer, chance.choice([None, "DE", "US"]))
    world.add(viewer)
    for _ in range(chance.randint(1, 3)):
        owner = make_owner(world)
        make_rights(world, owner)
        for _ in range(chance.randint(1, 4)):
            make_media(world, owner)
        world.owners.append(owner)
        for post, rule in owner.posts:
            subject = post_subject(owner_id=owner.user.id, state=PostState(post.state), rule=rule)
            world.expected_of_posts[post.id] = decided(world, owner, subject)
    return world


def decided(world: World, owner: Owner, subject: Subject) -> Decision:
    viewer = Viewer(world.viewer.id, Role(world.viewer.role), world.country)
    if owner.is_there or viewer.role.is_staff:
        return decide(viewer, subject, owner.grants, NOW, owner.standing)
    return HIDDEN


def write_world(engine: Engine, world: World) -> None:
    with transaction(engine) as session:
        for kind in (User, Creator, Tier, Post, Media, PostMedia, Base):
            session.add_all(row for row in world.rows if isinstance(row, kind))
            session.flush()


def make_owner(world: World) -> Owner:
    is_there = not world.maybe(0.1)
    person = user(Role.CREATOR, suspended_at=None if is_there else NOW)
    follows, blocks, blocked = world.maybe(0.4), world.maybe(0.1), world.maybe(0.1)
    countries = [each for each in COUNTRIES if world.maybe(0.2)]
    discount_bps = world.chance.choice([0, 1_500])
    creator = Creator(
        user_id=person.id, blocked_countries=countries, subscriber_discount_bps=discount_bps
    )
    world.add(person, creator)
    if follows:
        world.add(Follow(fan_id=world.viewer.id, creator_id=person.id))
    if blocks:
        world.add(Block(blocker_id=world.viewer.id, blocked_id=person.id))
    if blocked:
        world.add(Block(blocker_id=person.id, blocked_id=world.viewer.id))
    standing = Standing(blocks or blocked, follows, tuple(countries), discount_bps)
    owner = Owner(person, standing, is_there)
    for rank in range(1, world.chance.randint(1, 4)):
        tier = Tier(
            id=new_id(),
            creator_id=person.id,
            name=f"tier {rank}",
            rank=rank,
            price_minor=500 * rank,
            currency="USD",
        )
        owner.tiers.append(tier)
        world.add(tier)
    for _ in range(world.chance.randint(0, 4)):
        make_post(world, owner)
    return owner


def make_post(world: World, owner: Owner) -> None:
    audience = world.chance.choice(list(Audience))
    if audience is Audience.TIER and not owner.tiers:
        audience = Audience.SUBSCRIBERS
    tier = world.chance.choice(owner.tiers) if owner.tiers and world.maybe(0.5) else None
    if audience is Audience.TIER:
        tier = tier or owner.tiers[0]
    elif audience is not Audience.PAID:
        tier = None
    state = world.chance.choice([PostState.PUBLISHED, PostState.PUBLISHED, *PostState])
    price = (700, "USD") if audience is Audience.PAID else (None, None)
    post = Post(
        id=new_id(),
        creator_id=owner.user.id,
        state=state.value,
        audience=audience.value,
        tier_id=tier.id if tier else None,
        price_minor=price[0],
        currency=price[1],
        published_at=NOW - HOUR,
        publish_at=NOW + HOUR if state is PostState.SCHEDULED else None,
        taken_down_at=NOW if state is PostState.TAKEN_DOWN else None,
        taken_down_reason="Rule 3." if state is PostState.TAKEN_DOWN else None,
    )
    world.add(post)
    rule = Rule(audience, post.id, post.tier_id, tier.rank if tier else None, *price)
    owner.posts.append((post, rule))


def make_rights(world: World, owner: Owner) -> None:
    for _ in range(world.chance.randint(0, 3)):
        give(world, owner, tier=world.chance.choice([None, *owner.tiers]))
    for post, _ in owner.posts:
        if world.maybe(0.3):
            give(world, owner, post_id=post.id)


def give(
    world: World,
    owner: Owner,
    *,
    tier: Tier | None = None,
    post_id: str | None = None,
    media_id: str | None = None,
) -> None:
    source = world.chance.choice(list(GrantSource))
    span: dict[str, Any] = {
        "starts_at": world.chance.choice([NOW - HOUR, NOW - HOUR, NOW + HOUR]),
        "expires_at": world.chance.choice([None, NOW - HOUR, NOW + HOUR, NOW + 2 * HOUR]),
        "revoked_at": world.chance.choice([None, None, None, NOW - HOUR, NOW + HOUR]),
    }
    world.add(
        Entitlement(
            id=new_id(),
            fan_id=world.viewer.id,
            creator_id=owner.user.id,
            media_id=media_id,
            post_id=post_id,
            tier_id=tier.id if tier else None,
            source=source.value,
            **span,
        )
    )
    owner.grants.append(
        Grant(
            source,
            **span,
            media_id=media_id,
            post_id=post_id,
            tier_rank=tier.rank if tier else None,
        )
    )


def make_media(world: World, owner: Owner) -> None:
    state = world.chance.choice([MediaState.READY, MediaState.READY, *MediaState])
    visibility = world.chance.choice(list(Visibility))
    media = Media(
        id=new_id(),
        owner_id=owner.user.id,
        kind="image",
        purpose="post",
        state=state.value,
        visibility=visibility.value,
        file_name="a.jpg",
        original_key="k",
        original_bytes=1,
        rejection_code="corrupt_media" if state is MediaState.REJECTED else None,
    )
    world.add(media)
    carriers = []
    for post, rule in owner.posts:
        if world.maybe(0.4):
            world.add(PostMedia(post_id=post.id, media_id=media.id, position=next(world.places)))
            carriers.append(Carrier(PostState(post.state), rule))
    if world.maybe(0.3):
        give(world, owner, media_id=media.id)
    subject = media_subject(
        media_id=media.id,
        owner_id=owner.user.id,
        state=state,
        visibility=visibility,
        carriers=carriers,
    )
    world.expected[media.id] = decided(world, owner, subject)


@pytest.fixture
async def reads(settings: Settings, engine: Engine) -> AsyncIterator[ReadPool]:
    del engine  # Asked for, because it empties the tables.
    pool = ReadPool(settings)
    await pool.open()
    yield pool
    await pool.close()


async def test_the_statement_and_the_pure_decision_agree_in_random_worlds(
    reads: ReadPool, engine: Engine
) -> None:
    reasons: Counter[Reason] = Counter()
    for seed in range(WORLDS):
        world = make_world(seed)
        write_world(engine, world)
        caller = Caller(world.viewer.id, country=world.country)
        asked = list(world.expected)
        found = await decide_many(reads, caller=caller, media_ids=asked, now=NOW)
        for media_id, decision in zip(asked, found, strict=True):
            wanted = world.expected[media_id]
            assert _comparable(decision) == _comparable(wanted), (seed, media_id)
            reasons[decision.reason] += 1
        asked = list(world.expected_of_posts)
        found = await decide_posts(reads, caller=caller, post_ids=asked, now=NOW)
        for post_id, decision in zip(asked, found, strict=True):
            assert decision == world.expected_of_posts[post_id], (seed, post_id)
            reasons[decision.reason] += 1
    never = {Reason.OWNER, Reason.RECEIVER}  # Nobody asks for their own, and nothing was sent.
    assert reasons.keys() == set(Reason) - never, "the worlds hold every case"


def _comparable(decision: Decision) -> tuple[object, ...]:
    """In which order several posts offer themselves is nobody's matter."""
    return (decision.allowed, decision.reason, decision.expires_at, set(decision.offers))
