"""What every route that takes money does: choose the card, start the run, hear what it says."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from api.parts import Parts
from domain.errors import Conflict
from infra.models import PaymentMethod
from infra.queries.payment_methods import card_query
from infra.queries.payment_methods.declines import refuse_too_many_declines
from workflows.charges.messages import ChargeOrder, ChargeOutcome
from workflows.charges.start import confirm_now, pay_now


async def card_to_charge(
    session: AsyncSession, *, fan_id: str, payment_method_id: str | None, at: datetime
) -> PaymentMethod:
    """The card that a fan wants to pay with.

    Raises:
        Conflict: `card_missing`; they have none, or not this one.
        RateLimited: `declines`; too many were declined today.
    """
    await refuse_too_many_declines(session, fan_id=fan_id, at=at)
    card = await session.scalar(card_query(fan_id, payment_method_id))
    if card is None:
        raise Conflict(
            "There is no such card. Add one with `POST /me/card-setups`, then try again.",
            code="card_missing",
        )
    return card


async def hear_payment(parts: Parts, order: ChargeOrder) -> ChargeOutcome | None:
    """Start the run of a committed row, and hear what became of the try; None: nothing yet."""
    paying = pay_now(
        parts.temporal,
        order,
        queue_prefix=parts.settings.task_queue_prefix,
        patience=parts.starter.patience,
    )
    return await parts.starter.hear(
        paying, what="payment", kind=order.kind.value, subject_id=order.subject_id
    )


async def hear_confirmation(parts: Parts, workflow_id: str, *, subject_id: str) -> None:
    """Have the run look at once, since the fan says that they have confirmed. The row says what
    it found; where the run can't be asked, it looks by itself soon."""
    looking = confirm_now(parts.temporal, workflow_id, patience=parts.starter.patience)
    await parts.starter.hear(looking, what="confirmation", subject_id=subject_id)
