"""Rows of gifts. Nobody here has a card, so none is paid."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx

from infra.db import transaction
from infra.ids import new_id
from infra.models import Gift, Tier, User
from infra.queries.gifts.giving import Compliment, give_compliment
from tests.e2e.api.walk.buying import OWN, SIGNED_IN, key, other_creator
from tests.e2e.api.walk.rows import Case, Row, Stage, each
from tests.e2e.api.walk.tiers import tier

API = "/api/v1"
ME = f"{API}/me"


def recipient(stage: Stage) -> User:
    user_id = new_id()
    made = User(id=user_id, handle=f"friend-{user_id[-12:]}", display_name="Friend")
    with transaction(stage.engine) as session:
        session.add(made)
    return made


def declined(stage: Stage) -> str:
    """The owner tried to give somebody a tier of another creator."""
    seller, friend = other_creator(stage), recipient(stage)
    tier_id, gift_id = new_id(), new_id()
    with transaction(stage.engine) as session:
        session.add(
            Tier(
                id=tier_id,
                creator_id=seller.id,
                name="Gold",
                rank=1,
                price_minor=500,
                currency="USD",
            )
        )
        session.flush()
        session.add(
            Gift(
                id=gift_id,
                kind="bought",
                giver_id=stage.owner.id,
                recipient_id=friend.id,
                creator_id=seller.id,
                tier_id=tier_id,
                months=1,
                price_minor=500,
                currency="USD",
                payment_method_id="pm_walk",
                state="declined",
                decline_code="insufficient_funds",
            )
        )
    return gift_id


def compliment(stage: Stage) -> str:
    """The owner gave somebody a tier of their own."""
    sold, friend = tier(stage), recipient(stage)
    with transaction(stage.engine) as session:
        wish = Compliment(
            id=new_id(),
            creator_id=stage.owner.id,
            recipient=friend.handle,
            tier_id=sold.id,
            days=30,
            note="",
            at=sold.created_at,
        )
        return give_compliment(session, wish).id


def send(case: Case[Tier]) -> httpx.Response:
    wish = {"tier_id": case.subject.id, "recipient": recipient(case.stage).handle}
    path = f"{API}/creators/{case.stage.owner.handle}/gifts"
    return case.client.post(path, json=wish, headers=key())


def give(case: Case[Tier]) -> httpx.Response:
    friend = recipient(case.stage)
    wish = {"tier_id": case.subject.id, "recipient": friend.handle, "days": 3}
    return case.client.post(f"{ME}/complimentary", json=wish, headers=key())


ROWS: list[Row[Any]] = [
    Row("sendGift", send, each(409, anonymous=401, blocked=404), tier),
    Row("getGift", lambda case: case.client.get(f"{API}/gifts/{case.subject}"), OWN, declined),
    Row(
        "confirmGift",
        lambda case: case.client.post(f"{API}/gifts/{case.subject}/confirmed"),
        OWN,
        declined,
    ),
    Row("listMyGifts", lambda case: case.client.get(f"{ME}/gifts"), SIGNED_IN),
    Row("giveCompliment", give, each(422, anonymous=401, owner=201), tier),
    Row("listMyCompliments", lambda case: case.client.get(f"{ME}/complimentary"), SIGNED_IN),
    Row(
        "withdrawCompliment",
        lambda case: case.client.delete(f"{ME}/complimentary/{case.subject}"),
        each(404, anonymous=401, owner=204),
        compliment,
        changes=True,
    ),
]
