"""Rows of cards, unlocks, tips and payments. Nobody works here for the API, so that every payment
is refused or over before one would have to be waited for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx

from domain.accounts import Role
from domain.payment_methods import CARDS_MAX
from infra.db import transaction
from infra.ids import new_id
from infra.models import Base, CardSetup, Creator, PaymentMethod, Post, Tip, Unlock, User
from tests.e2e.api.walk.rows import Case, Row, Stage, each
from tests.harness.posts import write_post

API = "/api/v1"
ME = f"{API}/me"
SIGNED_IN = each(200, anonymous=401)
OWN = each(404, anonymous=401, owner=200)
PRICE = {"price_minor": 999, "currency": "USD"}


def key() -> dict[str, str]:
    return {"idempotency-key": new_id()}


def keep(stage: Stage, row: Base) -> None:
    with transaction(stage.engine) as session:
        session.add(row)


def other_creator(stage: Stage) -> User:
    creator_id = new_id()
    creator = User(
        id=creator_id,
        handle=f"seller-{creator_id[-12:]}",
        display_name="Seller",
        role=Role.CREATOR.value,
    )
    keep(stage, creator)
    keep(stage, Creator(user_id=creator_id))
    return creator


def paid_post(stage: Stage) -> Post:
    return write_post(stage.engine, stage.owner, audience="paid", price_minor=999, currency="USD")


def declined_unlock(stage: Stage) -> str:
    """The owner tried to buy another creator's post."""
    seller = other_creator(stage)
    post = write_post(stage.engine, seller, audience="paid", price_minor=999, currency="USD")
    unlock = Unlock(
        id=new_id(),
        fan_id=stage.owner.id,
        creator_id=seller.id,
        post_id=post.id,
        state="declined",
        list_minor=999,
        currency="USD",
        generation=1,
        payment_method_id="pm_walk",
        decline_code="insufficient_funds",
        quoted_at=datetime.now(UTC),
    )
    keep(stage, unlock)
    return unlock.id


def declined_tip(stage: Stage) -> str:
    """The owner tried to tip another creator."""
    tip = Tip(
        id=new_id(),
        fan_id=stage.owner.id,
        creator_id=other_creator(stage).id,
        amount_minor=500,
        currency="USD",
        state="declined",
        payment_method_id="pm_walk",
        decline_code="insufficient_funds",
    )
    keep(stage, tip)
    return tip.id


def card(stage: Stage, fan: User | None = None) -> str:
    card_id = f"pm_walk{new_id().replace('-', '')}"
    keep(
        stage,
        PaymentMethod(
            id=card_id,
            fan_id=(fan or stage.owner).id,
            brand="visa",
            last4="4242",
            exp_month=12,
            exp_year=2030,
        ),
    )
    return card_id


def expired_setup(stage: Stage) -> str:
    setup = CardSetup(
        id=new_id(), fan_id=stage.owner.id, state="expired", closed_at=datetime.now(UTC)
    )
    keep(stage, setup)
    return setup.id


def add_one_card_too_many(case: Case[None]) -> httpx.Response:
    if case.viewer is not None:
        for _ in range(CARDS_MAX):
            card(case.stage, case.viewer)
    return case.client.post(f"{ME}/card-setups")


def buy(case: Case[Post]) -> httpx.Response:
    return case.client.post(f"{API}/posts/{case.subject.id}/unlock", json=PRICE, headers=key())


def tip(case: Case[str]) -> httpx.Response:
    wish = {"amount_minor": 500, "currency": "USD"}
    return case.client.post(f"{API}/creators/{case.subject}/tips", json=wish, headers=key())


ROWS: list[Row[Any]] = [
    Row("setUpCard", add_one_card_too_many, each(409, anonymous=401)),
    Row(
        "getCardSetup",
        lambda case: case.client.get(f"{ME}/card-setups/{case.subject}"),
        OWN,
        expired_setup,
    ),
    Row(
        "confirmCardSetup",
        lambda case: case.client.post(f"{ME}/card-setups/{case.subject}/confirmed"),
        OWN,
        expired_setup,
    ),
    Row("listMyCards", lambda case: case.client.get(f"{ME}/cards"), SIGNED_IN),
    Row(
        "preferCard",
        lambda case: case.client.put(f"{ME}/cards/{case.subject}/default"),
        each(404, anonymous=401, owner=204),
        card,
    ),
    Row(
        "removeCard",
        lambda case: case.client.delete(f"{ME}/cards/{case.subject}"),
        each(404, anonymous=401, owner=204),
        card,
        changes=True,
    ),
    # Nobody here has a card; the owner has nothing to buy.
    Row("unlockPost", buy, each(409, anonymous=401, blocked=404), paid_post),
    Row(
        "getUnlock",
        lambda case: case.client.get(f"{API}/unlocks/{case.subject}"),
        OWN,
        declined_unlock,
    ),
    Row(
        "confirmUnlock",
        lambda case: case.client.post(f"{API}/unlocks/{case.subject}/confirmed"),
        OWN,
        declined_unlock,
    ),
    Row("sendTip", tip, each(409, anonymous=401), lambda stage: stage.owner.id),
    Row(
        "getTip",
        lambda case: case.client.get(f"{API}/tips/{case.subject}"),
        OWN,
        declined_tip,
    ),
    Row(
        "confirmTip",
        lambda case: case.client.post(f"{API}/tips/{case.subject}/confirmed"),
        OWN,
        declined_tip,
    ),
    Row("listMyTips", lambda case: case.client.get(f"{ME}/tips"), SIGNED_IN),
    Row("listMyPayments", lambda case: case.client.get(f"{ME}/payments"), SIGNED_IN),
    Row("listMySales", lambda case: case.client.get(f"{ME}/sales"), SIGNED_IN),
]
