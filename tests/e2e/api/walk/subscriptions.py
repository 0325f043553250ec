"""Rows of subscriptions. Nobody works here for the API, so that every change is refused before it
would have to be waited for, or of a subscription that is over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx

from infra.db import transaction
from infra.ids import new_id
from infra.models import Subscription, Tier
from tests.e2e.api.walk.buying import OWN, SIGNED_IN, key, other_creator
from tests.e2e.api.walk.rows import Case, Row, Stage, each
from tests.e2e.api.walk.tiers import tier

API = "/api/v1"
MINE = f"{API}/me/subscriptions"
OWN_ENDED = each(404, anonymous=401, owner=409)


def ended(stage: Stage) -> str:
    """The owner was subscribed to another creator."""
    seller = other_creator(stage)
    tier_id, subscription_id = new_id(), new_id()
    now = datetime.now(UTC)
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
            Subscription(
                id=subscription_id,
                fan_id=stage.owner.id,
                creator_id=seller.id,
                state="canceled",
                tier_id=tier_id,
                price_minor=500,
                currency="USD",
                months=1,
                end_reason="fan",
                ended_at=now,
                created_at=now,
            )
        )
    return subscription_id


def subscribe(case: Case[Tier]) -> httpx.Response:
    return case.client.post(
        f"{API}/creators/{case.stage.owner.handle}/subscription",
        json={"tier_id": case.subject.id},
        headers=key(),
    )


def on(path: str, body: Any = None) -> Callable[[Case[str]], httpx.Response]:
    return lambda case: case.client.post(f"{MINE}/{case.subject}/{path}", json=body)


ROWS: list[Row[Any]] = [
    # Nobody here has a card, and nobody subscribes to themselves.
    Row("subscribe", subscribe, each(409, anonymous=401, blocked=404, owner=422), tier),
    Row("listMySubscriptions", lambda case: case.client.get(MINE), SIGNED_IN),
    Row("listMySubscribers", lambda case: case.client.get(f"{API}/me/subscribers"), SIGNED_IN),
    Row(
        "getMySubscription",
        lambda case: case.client.get(f"{MINE}/{case.subject}"),
        OWN,
        ended,
    ),
    Row("confirmSubscription", on("confirmed"), OWN, ended),
    Row("cancelSubscription", on("cancel", {}), OWN_ENDED, ended),
    Row("resumeSubscription", on("resume"), OWN_ENDED, ended),
    Row("pauseSubscription", on("pause", {"resume_at": "2030-05-01T12:00:00Z"}), OWN_ENDED, ended),
    Row("changeSubscriptionTier", on("tier", {"tier_id": new_id()}), OWN_ENDED, ended),
    Row("useCardForSubscription", on("card", {"payment_method_id": "pm_walk"}), OWN_ENDED, ended),
    Row("consentToPrice", on("consent", {"price_minor": 1200}), OWN_ENDED, ended),
]
