"""Rows of what creators sell: their own tiers and codes, and what others see of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2 as httpx

from infra.db import transaction
from infra.ids import new_id
from infra.models import PromoCode, Tier
from tests.e2e.api.walk.rows import ABSENT, SHOWN, Case, Outcome, Row, Stage, each

API = "/api/v1"
TIERS, CODES = f"{API}/me/tiers", f"{API}/me/promo-codes"
IF_MATCH = {"if-match": "*"}
NEW_TIER = {"name": "Gold", "price_minor": 1500}
NEW_CODE = {"code": "SPRING", "kind": "percent", "value": 2500}


def tier(stage: Stage) -> Tier:
    """The owner's, for sale; each has a rank of its own."""
    tier_id = new_id()
    made = Tier(
        id=tier_id,
        creator_id=stage.owner.id,
        name="A secret beach",
        rank=1 + int(tier_id[-6:], 16),
        price_minor=500,
        currency="USD",
    )
    with transaction(stage.engine) as session:
        session.add(made)
    return made


def code(stage: Stage) -> PromoCode:
    """The owner's; each reads differently."""
    promo_id = new_id()
    made = PromoCode(
        id=promo_id,
        creator_id=stage.owner.id,
        code=f"P-{promo_id[-12:].upper()}",
        kind="percent",
        value=5_000,
        duration="once",
    )
    with transaction(stage.engine) as session:
        session.add(made)
    return made


def own(otherwise: int, owner: Outcome) -> dict[str, Outcome]:
    """Of the owner's alone; other creators find nothing, everybody else is none."""
    return each(403, anonymous=401, other_creator=otherwise, owner=owner)


def on(base: str, method: str, path: str = "", body: Any = None) -> Callable[[Case[Any]], Any]:
    return lambda case: case.client.request(
        method, f"{base}/{case.subject.id}{path}", json=body, headers=IF_MATCH
    )


def order(case: Case[Tier]) -> httpx.Response:
    """Of the subject alone, which are all tiers of its owner."""
    return case.client.put(f"{TIERS}/order", json={"tier_ids": [case.subject.id]})


def in_list(answer: httpx.Response, subject: Any) -> Outcome:
    if answer.status_code != 200:
        return answer.status_code
    return SHOWN if subject.id in answer.text else ABSENT


def of_owner(case: Case[Tier]) -> str:
    return f"{API}/creators/{case.stage.owner.handle}"


ROWS: list[Row[Any]] = [
    Row(
        "listTiers",
        lambda case: case.client.get(f"{of_owner(case)}/tiers"),
        each(SHOWN, blocked=404),
        tier,
        outcome=in_list,
    ),
    Row(
        "getQuote",
        lambda case: case.client.post(f"{of_owner(case)}/quote", json={"tier_id": case.subject.id}),
        each(200, blocked=404),
        tier,
    ),
    Row(
        "listMyTiers",
        lambda case: case.client.get(TIERS),
        each(403, anonymous=401, other_creator=ABSENT, owner=SHOWN),
        tier,
        outcome=in_list,
    ),
    Row(
        "createTier",
        lambda case: case.client.post(TIERS, json=NEW_TIER),
        each(403, anonymous=401, other_creator=201, owner=201),
    ),
    Row("orderTiers", order, own(409, 204), tier),
    Row("getMyTier", on(TIERS, "GET"), own(404, 200), tier),
    Row("editTier", on(TIERS, "PATCH", body={"name": "Mine"}), own(404, 200), tier),
    Row("archiveTier", on(TIERS, "DELETE"), own(404, 204), tier, changes=True),
    Row("setBundle", on(TIERS, "PUT", "/bundles/3", {"discount_bps": 900}), own(404, 200), tier),
    Row("dropBundle", on(TIERS, "DELETE", "/bundles/3"), own(404, 204), tier),
    Row(
        "listMyPromoCodes",
        lambda case: case.client.get(CODES),
        each(403, anonymous=401, other_creator=ABSENT, owner=SHOWN),
        code,
        outcome=in_list,
    ),
    Row(
        "createPromoCode",
        lambda case: case.client.post(CODES, json=NEW_CODE),
        each(403, anonymous=401, other_creator=201, owner=201),
    ),
    Row("getMyPromoCode", on(CODES, "GET"), own(404, 200), code),
    Row("editPromoCode", on(CODES, "PATCH", body={"per_fan_max": 2}), own(404, 200), code),
    Row("archivePromoCode", on(CODES, "DELETE"), own(404, 204), code, changes=True),
]
