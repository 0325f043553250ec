"""What is shown of payouts and accounts."""

from __future__ import annotations

from typing import Any

from api.payouts import schemas
from domain.payouts.amounts import has_minimum, minimum_minor
from infra.queries.payouts.reading import AccountView, Balance, PayoutView


def payout_fields(payout: PayoutView) -> dict[str, Any]:
    return {
        "id": payout.id,
        "kind": payout.kind,
        "state": payout.state,
        "currency": payout.currency,
        "amount_minor": payout.amount_minor,
        "reason": payout.reason,
        "arrives_at": payout.arrival_at,
        "created_at": payout.created_at,
        "sent_at": payout.sent_at,
        "paid_at": payout.paid_at,
        "closed_at": payout.closed_at,
    }


def payout_body(payout: PayoutView) -> schemas.PayoutBody:
    return schemas.PayoutBody(**payout_fields(payout))


def account_fields(account: AccountView) -> dict[str, Any]:
    return {
        "country": account.country,
        "currency": account.default_currency,
        "details_submitted": account.details_submitted,
        "payouts_enabled": account.payouts_enabled and account.transfers_enabled,
        "requirements_due": account.requirements_due,
        "disabled_reason": account.disabled_reason,
        "updated_at": account.updated_at,
    }


def balance_body(balance: Balance) -> schemas.BalanceBody:
    known = has_minimum(balance.currency)
    return schemas.BalanceBody(
        currency=balance.currency,
        pending_minor=balance.pending_minor,
        available_minor=balance.available_minor,
        reserve_minor=balance.reserve_minor,
        held_minor=balance.held_minor,
        in_flight_minor=balance.in_flight_minor,
        debt_minor=balance.debt_minor,
        minimum_minor=minimum_minor(balance.currency) if known else None,
        releases=[
            schemas.ReleaseBody(at=each.at, amount_minor=each.amount_minor)
            for each in balance.releases
        ],
    )
