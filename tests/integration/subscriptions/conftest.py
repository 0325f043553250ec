"""A creator with tiers, and a fan with a card."""

from __future__ import annotations

import pytest

from domain.accounts import Role
from infra.models import PaymentMethod, Tier, User
from tests.harness.rows import MakeTier, MakeUser
from tests.harness.stripe import GiveCard


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


@pytest.fixture
def fan(make_user: MakeUser) -> User:
    return make_user(email="fan@fansworld.example")


@pytest.fixture
def card(fan: User, give_card: GiveCard) -> PaymentMethod:
    return give_card(fan)


@pytest.fixture
def tier(creator: User, make_tier: MakeTier) -> Tier:
    return make_tier(creator, rank=1)


@pytest.fixture
def top(creator: User, make_tier: MakeTier) -> Tier:
    return make_tier(creator, rank=3)
