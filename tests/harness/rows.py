"""Users, media and what is for sale. Made and committed on `engine`, gone after the test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
from sqlalchemy import Engine

from domain.access import GrantSource
from domain.accounts import Role
from domain.media.states import MediaKind, MediaState, Purpose
from domain.subscriptions.promos import PromoDuration, PromoKind
from infra.db import transaction
from infra.ids import new_id
from infra.models import (
    Base,
    Creator,
    Entitlement,
    Media,
    PromoCode,
    Tier,
    TierPriceChange,
    User,
)


class MakeUser(Protocol):
    def __call__(self, *, role: Role = ..., **columns: Any) -> User: ...


class MakeMedia(Protocol):
    def __call__(self, *, owner: User | None = ..., **columns: Any) -> Media: ...


class Entitle(Protocol):
    def __call__(
        self, fan: User, *, creator_id: str, media_id: str | None = ..., **columns: Any
    ) -> Entitlement: ...


class MakeTier(Protocol):
    def __call__(self, creator: User, *, rank: int = ..., **columns: Any) -> Tier: ...


class MakePromo(Protocol):
    def __call__(self, creator: User, **columns: Any) -> PromoCode: ...


@pytest.fixture
def make_user(engine: Engine) -> MakeUser:
    """A user, with a creator's row where the role is one that publishes."""

    def make(*, role: Role = Role.FAN, **columns: Any) -> User:
        user_id = columns.pop("id", None) or new_id()
        handle = columns.pop("handle", f"{role.value}-{user_id.replace('-', '')[-12:]}")
        columns.setdefault("display_name", handle.title())
        user = User(id=user_id, handle=handle, role=role.value, **columns)
        _commit(engine, user)
        if role is Role.CREATOR:
            _commit(engine, Creator(user_id=user_id))
        return user

    return make


@pytest.fixture
def make_media(engine: Engine, make_user: MakeUser) -> MakeMedia:
    """A media row (a photo in state `processing` by default); no object stands behind it."""

    def make(*, owner: User | None = None, **columns: Any) -> Media:
        media_id = columns.pop("id", None) or new_id()
        values: dict[str, Any] = {
            "kind": MediaKind.IMAGE.value,
            "purpose": Purpose.POST.value,
            "state": MediaState.PROCESSING.value,
            "file_name": "photo.jpg",
            "original_key": f"o/{media_id}",
            "original_bytes": 1000,
        }
        owner_id = (owner or make_user(role=Role.CREATOR)).id
        media = Media(id=media_id, owner_id=owner_id, **(values | columns))
        _commit(engine, media)
        return media

    return make


@pytest.fixture
def entitle(engine: Engine) -> Entitle:
    """Give `fan` a right that began an hour ago, on one media or on all of a creator's."""

    def make(
        fan: User, *, creator_id: str, media_id: str | None = None, **columns: Any
    ) -> Entitlement:
        values: dict[str, Any] = {
            "source": GrantSource.GIFT.value,
            "starts_at": datetime.now(UTC) - timedelta(hours=1),
        }
        right = Entitlement(
            id=new_id(),
            fan_id=fan.id,
            creator_id=creator_id,
            media_id=media_id,
            **(values | columns),
        )
        _commit(engine, right)
        return right

    return make


@pytest.fixture
def make_tier(engine: Engine) -> MakeTier:
    """A tier of 5 USD a month for each rank, for sale, with the price in its history."""

    def make(creator: User, *, rank: int = 1, **columns: Any) -> Tier:
        values: dict[str, Any] = {
            "name": f"Tier {rank}",
            "price_minor": 500 * rank,
            "currency": "USD",
        }
        tier = Tier(id=new_id(), creator_id=creator.id, rank=rank, **(values | columns))
        _commit(engine, tier)
        price = TierPriceChange(
            tier_id=tier.id,
            announced_at=tier.created_at,
            price_minor=tier.price_minor,
            effective_at=tier.created_at,
        )
        _commit(engine, price)
        return tier

    return make


@pytest.fixture
def make_promo(engine: Engine) -> MakePromo:
    """A code that halves the first price of any tier, for everybody, once a fan."""

    def make(creator: User, **columns: Any) -> PromoCode:
        promo_id = new_id()
        values: dict[str, Any] = {
            "code": f"P{promo_id[-12:].upper()}",
            "kind": PromoKind.PERCENT.value,
            "value": 5_000,
            "duration": PromoDuration.ONCE.value,
        }
        promo = PromoCode(id=promo_id, creator_id=creator.id, **(values | columns))
        _commit(engine, promo)
        return promo

    return make


def _commit(engine: Engine, row: Base) -> None:
    """Write the row, and read back what the database filled in."""
    with transaction(engine) as session:
        session.add(row)
        session.flush()
        session.refresh(row)
