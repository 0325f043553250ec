"""Who is there: fans with cards of all behaviours, creators with posts that cost something."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from urllib.parse import urlencode

from sqlalchemy import Engine

from devstack.stripe import accounts
from domain.accounts import Role
from domain.ids import derived_id
from domain.posts import Audience, PostState
from infra.db import transaction
from infra.models import (
    ConnectedAccount,
    Creator,
    Follow,
    PaymentMethod,
    Post,
    StripeCustomer,
    User,
)
from simulation.money.selling import open_shop
from simulation.money.stripe import Browser

FANS, CREATORS, POSTS_EACH, CARDS_EACH = 4, 2, 3, 2

KNOWN_FOR = timedelta(days=365)
"""Who came just now may tip less."""

CARDS = (
    *("visa", "visa", "visa", "mastercard", "bypassPending"),
    "chargeCustomerFail",
    *("authenticationRequired", "threeDSecure2Required", "authenticationRequiredOnSetup"),
    *("createDispute", "createDisputeInquiry"),
    *("refundFail", "pendingRefund"),
)
"""Stripe's test cards that let themselves be saved; one that works comes more often."""

BANKS = ("000123456789", "000123456789", "000111111113", "000111111116")
"""Of creators; Stripe's test numbers of banks that refuse come last."""


@dataclass
class Cast:
    """Ids; what belongs to whom."""

    fans: list[str] = field(default_factory=list)
    creators: list[str] = field(default_factory=list)
    posts: list[tuple[str, str]] = field(default_factory=list)
    """Each with its creator."""
    tiers: dict[str, list[str]] = field(default_factory=dict)
    """By creator, the lowest first."""


def hire(engine: Engine, browser: Browser, seed: int, now: datetime) -> Cast:
    """Write everybody down, here and at Stripe."""
    dice, cast = Random(f"cast of {seed}"), Cast()
    with transaction(engine) as session:
        for role, number in [(Role.FAN, FANS), (Role.CREATOR, CREATORS)]:
            for index in range(number):
                handle = f"{role.value}-{index}"
                user_id = derived_id("simulation", handle)
                session.add(
                    User(
                        id=user_id,
                        handle=handle,
                        display_name=handle,
                        role=role.value,
                        created_at=now - KNOWN_FOR,
                    )
                )
                (cast.fans if role is Role.FAN else cast.creators).append(user_id)
        session.flush()
        session.add_all(Creator(user_id=each) for each in cast.creators)
        session.add_all(
            Follow(fan_id=fan_id, creator_id=creator_id, created_at=now)
            for creator_id in cast.creators
            for fan_id in cast.fans
        )
        for creator_id in cast.creators:
            for number in range(POSTS_EACH):
                post = Post(
                    id=derived_id("simulation", creator_id, str(number)),
                    creator_id=creator_id,
                    state=PostState.PUBLISHED.value,
                    audience=Audience.PAID.value,
                    price_minor=dice.choice([300, 999, 5000]),
                    currency="USD",
                    published_at=now,
                )
                session.add(post)
                cast.posts.append((post.id, creator_id))
    for creator_id in cast.creators:
        _open_account(engine, browser, creator_id, dice, now)
        cast.tiers[creator_id] = open_shop(engine, creator_id, seed, now)
    for fan_id in cast.fans:
        _give_cards(engine, browser, fan_id, dice, now)
    return cast


def _give_cards(engine: Engine, browser: Browser, fan_id: str, dice: Random, now: datetime) -> None:
    _, customer = browser.post("/v1/customers", urlencode({"metadata[op_id]": fan_id}))
    with transaction(engine) as session:
        session.add(StripeCustomer(user_id=fan_id, customer_id=customer["id"], created_at=now))
        for number in range(CARDS_EACH):
            name = dice.choice(CARDS)
            _, card = browser.post(
                f"/v1/payment_methods/pm_card_{name}/attach",
                urlencode({"customer": customer["id"]}),
            )
            session.add(
                PaymentMethod(
                    id=card["id"],
                    fan_id=fan_id,
                    brand=card["card"]["brand"],
                    last4=card["card"]["last4"],
                    exp_month=card["card"]["exp_month"],
                    exp_year=card["card"]["exp_year"],
                    fingerprint=card["card"]["fingerprint"],
                    country=card["card"]["country"],
                    is_default=number == 0,
                    added_at=now,
                )
            )


def _open_account(
    engine: Engine, browser: Browser, creator_id: str, dice: Random, now: datetime
) -> None:
    """A connected account that may be paid, to a bank that takes the money or does not."""
    _, made = browser.post(
        "/v1/accounts",
        urlencode(
            {
                "country": "US",
                "controller[stripe_dashboard][type]": "express",
                "controller[fees][payer]": "application",
                "controller[losses][payments]": "application",
                "capabilities[transfers][requested]": "true",
                "metadata[op_id]": creator_id,
                "settings[payouts][schedule][interval]": "manual",
            }
        ),
    )
    account = accounts.onboard(browser.stripe.scope(), made["id"], bank=dice.choice(BANKS))
    with transaction(engine) as session:
        session.add(
            ConnectedAccount(
                creator_id=creator_id,
                account_id=account["id"],
                charges_enabled=account["charges_enabled"],
                payouts_enabled=account["payouts_enabled"],
                transfers_enabled=True,
                details_submitted=True,
                country="US",
                default_currency="USD",
                created_at=now,
                updated_at=now,
            )
        )
