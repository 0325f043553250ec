"""How payments are shown."""

from __future__ import annotations

from typing import Any

from api.charges.schemas import DeclineBody, PaymentBody
from domain.charges.declines import decline_kind_of, sentence_for
from domain.charges.states import ACTION_TTL, ChargeState, DeclineKind
from infra.models import Charge
from infra.queries.charges.reading import LastTry, ListedCharge


def payment_body(
    charge: Charge | LastTry | None, *, amount_minor: int, currency: str
) -> PaymentBody:
    """The last try to pay for a thing, if there was one yet."""
    if charge is None:
        return PaymentBody(
            amount_minor=amount_minor, currency=currency, client_secret=None, expires_at=None
        )
    waits = charge.state == ChargeState.REQUIRES_ACTION
    return PaymentBody(
        amount_minor=charge.amount_minor,
        currency=charge.currency,
        client_secret=charge.client_secret if waits else None,
        expires_at=charge.created_at + ACTION_TTL if waits else None,
        decline=decline_body(charge.decline_code, charge.decline_kind),
    )


def decline_body(code: str | None, kind: str | None) -> DeclineBody | None:
    if code is None:
        return None
    return DeclineBody(
        code=code,
        kind=DeclineKind(kind) if kind else decline_kind_of(code),
        message=sentence_for(code),
    )


def charge_fields(listed: ListedCharge) -> dict[str, Any]:
    """What `ChargeBody` holds of a listed charge."""
    return {
        "id": listed.id,
        "kind": listed.kind,
        "subject_id": listed.subject_id,
        "state": listed.state,
        "amount_minor": listed.amount_minor,
        "tax_minor": listed.tax_minor,
        "currency": listed.currency,
        "refunded_minor": listed.refunded_minor,
        "disputed_at": listed.disputed_at,
        "decline": decline_body(listed.decline_code, listed.decline_kind),
        "created_at": listed.created_at,
        "paid_at": listed.paid_at,
    }
