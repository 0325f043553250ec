"""Posts to test with. Written and committed on `engine`, gone after the test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest
from sqlalchemy import Engine

from domain.posts import Audience, PostState
from infra.db import transaction
from infra.ids import new_id
from infra.models import Follow, Media, Post, PostMedia, User


class MakePost(Protocol):
    def __call__(self, owner: User, *, media: Sequence[Media] = ..., **columns: Any) -> Post: ...


class FollowCreator(Protocol):
    def __call__(self, fan: User, creator: User) -> None: ...


def write_post(engine: Engine, owner: User, *, media: Sequence[Media] = (), **columns: Any) -> Post:
    """A post, published for subscribers unless `columns` say otherwise."""
    values: dict[str, Any] = {
        "state": PostState.PUBLISHED.value,
        "audience": Audience.SUBSCRIBERS.value,
        "body": "Only for you",
        "media_count": len(media),
    } | columns
    if values["audience"] == Audience.PAID:
        values = {"price_minor": 500, "currency": "USD"} | values
    if values["state"] in (PostState.PUBLISHED, PostState.TAKEN_DOWN):
        values = {"published_at": datetime.now(UTC)} | values
    if values["state"] == PostState.TAKEN_DOWN:
        verdict = {"taken_down_at": datetime.now(UTC), "taken_down_reason": "Rule 3."}
        values = verdict | values
    post = Post(id=values.pop("id", None) or new_id(), creator_id=owner.id, **values)
    with transaction(engine) as session:
        session.add(post)
        session.flush()
        session.add_all(
            PostMedia(post_id=post.id, media_id=each.id, position=position)
            for position, each in enumerate(media)
        )
        session.refresh(post)
    return post


@pytest.fixture
def make_post(engine: Engine) -> MakePost:
    """A post, published for subscribers by default."""

    def make(owner: User, *, media: Sequence[Media] = (), **columns: Any) -> Post:
        return write_post(engine, owner, media=media, **columns)

    return make


@pytest.fixture
def follow(engine: Engine) -> FollowCreator:
    def make(fan: User, creator: User) -> None:
        with transaction(engine) as session:
            session.add(Follow(fan_id=fan.id, creator_id=creator.id))

    return make
