"""Subscriptions as answers show them."""

from __future__ import annotations

from typing import Any

from api.charges.views import payment_body
from api.subscriptions import schemas
from domain.subscriptions.events import EventKind
from domain.subscriptions.states import EndReason, SubscriptionState
from infra.models import Subscription
from infra.queries.subscriptions.listing import ListedSubscription, OwnSubscription


def subscription_body(own: OwnSubscription) -> schemas.SubscriptionBody:
    row, charge = own.row, own.charge
    payment = None
    if charge is not None:
        payment = payment_body(charge, amount_minor=charge.amount_minor, currency=charge.currency)
        if payment.expires_at is not None and row.charge_expires_at is not None:
            payment.expires_at = row.charge_expires_at
    return schemas.SubscriptionBody(
        id=row.id,
        creator_id=row.creator_id,
        creator_handle=own.creator_handle,
        tier_id=row.tier_id,
        state=SubscriptionState(row.state),
        price_minor=row.price_minor,
        currency=row.currency,
        months=row.months,
        promo=_promo_body(row),
        is_trial=row.period_index == 0 and row.period_start is not None,
        period_start=row.period_start,
        period_end=row.period_end,
        payment_method_id=row.payment_method_id,
        payment=payment,
        retry_at=row.retry_at,
        give_up_at=row.give_up_at,
        next_tier_id=row.next_tier_id,
        resume_at=row.resume_at,
        new_price_minor=row.told_price_minor,
        agreed_price_minor=row.agreed_price_minor,
        end_reason=EndReason(row.end_reason) if row.end_reason else None,
        ended_at=row.ended_at,
        created_at=row.created_at,
        events=[
            schemas.EventBody(kind=EventKind(each.kind), at=each.at, facts=each.facts)
            for each in own.events
        ],
    )


def _promo_body(row: Subscription) -> schemas.PromoBody | None:
    if row.promo_kind is None or row.promo_value is None or row.promo_duration is None:
        return None
    return schemas.PromoBody(
        kind=row.promo_kind,
        value=row.promo_value,
        duration=row.promo_duration,
        months=row.promo_months,
    )


def listed_fields(listed: ListedSubscription) -> dict[str, Any]:
    """What `ListedSubscriptionBody` holds."""
    names = schemas.ListedSubscriptionBody.model_fields
    return {name: getattr(listed, name) for name in names}
