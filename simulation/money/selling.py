"""What creators sell by the month: tiers, a bundle, codes that take something off."""

from __future__ import annotations

from datetime import datetime
from random import Random

from sqlalchemy import Engine

from domain.ids import derived_id
from domain.subscriptions.promos import PromoDuration, PromoKind
from infra.db import transaction
from infra.models import PromoCode, Tier
from infra.queries.tiers.promos import add_promo
from infra.queries.tiers.writing import add_tier, lock_creator, set_bundle

BUNDLE_MONTHS = 3
CODES = ("HALF", "WEEK")
PRICES_MINOR = ((500, 1500), (999, 2500))
"""Of a lower and a higher tier, a month."""


def open_shop(engine: Engine, creator_id: str, seed: int, now: datetime) -> list[str]:
    """Put tiers on sale; returns their ids, the lower one first. Some begin with a trial."""
    dice = Random(f"shop of {creator_id} in {seed}")
    tier_ids: list[str] = []
    with transaction(engine) as session:
        lock_creator(session, creator_id)
        for price_minor in dice.choice(PRICES_MINOR):
            tier = Tier(
                id=derived_id("simulation", creator_id, "tier", str(len(tier_ids))),
                creator_id=creator_id,
                name=f"tier {len(tier_ids)}",
                price_minor=price_minor,
                currency="USD",
                trial_days=dice.choice([0, 0, 5]),
                created_at=now,
                updated_at=now,
            )
            add_tier(session, tier, at=now)
            set_bundle(session, tier, months=BUNDLE_MONTHS, discount_bps=1000, at=now)
            tier_ids.append(tier.id)
        half = PromoCode(
            kind=PromoKind.PERCENT.value,
            value=5000,
            duration=PromoDuration.MONTHS.value,
            months=2,
        )
        week = PromoCode(kind=PromoKind.TRIAL.value, value=7, duration=PromoDuration.ONCE.value)
        for code, promo in zip(CODES, (half, week), strict=True):
            promo.id = derived_id("simulation", creator_id, "promo", code)
            promo.creator_id, promo.code = creator_id, code
            promo.per_fan_max, promo.redeemed_count = 1, 0
            promo.audience = "everyone"
            promo.created_at = promo.updated_at = now
            add_promo(session, promo)
    return tier_ids
