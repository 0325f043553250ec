"""Tiers, codes and quotes as answers show them."""

from __future__ import annotations

from typing import Any

from api.tiers import schemas
from domain.subscriptions.pricing import PeriodPrice, Plan, Quote, price_of_period
from infra.models import PromoCode
from infra.queries.tiers.reading import OfferedTier, OwnPromo, OwnTier

Json = dict[str, Any]


def _offered_json(tier: OfferedTier) -> Json:
    return {
        "id": tier.id,
        "name": tier.name,
        "description": tier.description,
        "benefits": tier.benefits,
        "rank": tier.rank,
        "price_minor": tier.price_minor,
        "currency": tier.currency,
        "trial_days": tier.trial_days,
        "bundles": [
            {
                "months": months,
                "discount_bps": bps,
                "total_minor": price_of_period(
                    Plan(tier.price_minor, tier.currency, months, bps)
                ).total_minor,
            }
            for months, bps in tier.bundles
        ],
    }


def offered_json(tier: OfferedTier, *, is_full: bool) -> Json:
    """`schemas.OfferedTierBody`."""
    return {**_offered_json(tier), "is_full": is_full}


def tier_json(tier: OwnTier) -> Json:
    """`schemas.TierBody`."""
    return {
        **_offered_json(tier.offered),
        "price_effective_at": tier.price_effective_at,
        "is_visible": tier.is_visible,
        "subscriber_cap": tier.subscriber_cap,
        "subscriber_count": tier.subscriber_count,
        "created_at": tier.created_at,
        "updated_at": tier.updated_at,
        "archived_at": tier.archived_at,
    }


def promo_json(promo: OwnPromo) -> Json:
    """`schemas.PromoBody`."""
    names = schemas.PromoBody.model_fields
    return {name: getattr(promo, name) for name in names}


def quote_json(tier_id: str, quote: Quote, promo: PromoCode | None) -> Json:
    """`schemas.QuoteBody`."""
    return {
        "tier_id": tier_id,
        "currency": quote.currency,
        "months": quote.months,
        "trial_days": quote.trial_days,
        "first": _price_json(quote.first),
        "renewal": _price_json(quote.renewal),
        "regular": _price_json(quote.regular),
        "due_now_minor": quote.due_now_minor,
        "first_charge_at": quote.first_charge_at,
        "promo": None
        if promo is None
        else {
            "code": promo.code,
            "kind": promo.kind,
            "value": promo.value,
            "duration": promo.duration,
            "months": promo.months,
            "counts_until": quote.discount_until,
        },
    }


def _price_json(price: PeriodPrice) -> Json:
    return {name: getattr(price, name) for name in schemas.PeriodPriceBody.model_fields}
