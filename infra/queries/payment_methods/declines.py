"""Cards that were refused, in payments and when they were added: one count for both."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, union_all
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from domain.charges.states import ChargeState
from domain.errors import RateLimited
from domain.payment_methods import DECLINES_PER_DAY_MAX, DECLINES_WINDOW
from infra.models import CardDecline, CardSetup, Charge
from infra.stripe.objects import SetupAttempt


def keep_declines(session: Session, setup: CardSetup, attempts: Iterable[SetupAttempt]) -> None:
    """Write down which cards were refused in a setup, each once."""
    refused = [
        {
            "attempt_id": each.id,
            "setup_id": setup.id,
            "fan_id": setup.fan_id,
            "code": each.decline.reason,
            "declined_at": each.created_at,
        }
        for each in attempts
        if each.decline is not None
    ]
    if refused:
        session.execute(
            insert(CardDecline)
            .values(refused)
            .on_conflict_do_nothing(index_elements=["attempt_id"])
        )


def has_too_many_declines(session: Session, *, fan_id: str, at: datetime) -> bool:
    """Whether no more cards of the fan's are tried for a while."""
    count, _ = session.execute(_latest(fan_id, at)).one()
    return bool(count >= DECLINES_PER_DAY_MAX)


async def refuse_too_many_declines(session: AsyncSession, *, fan_id: str, at: datetime) -> None:
    """Stop who tries one card after the other.

    Raises:
        RateLimited: `declines`, after `DECLINES_PER_DAY_MAX` in 24 hours.
    """
    count, first = (await session.execute(_latest(fan_id, at))).one()
    if count >= DECLINES_PER_DAY_MAX:
        wait = (first + DECLINES_WINDOW - at).total_seconds()
        raise RateLimited(
            "Too many cards were declined. Try again later, or ask your bank.",
            limit="declines",
            retry_after_seconds=max(1, int(wait) + 1),
        )


def _latest(fan_id: str, at: datetime) -> Select[int, Any]:
    """How many of the last refusals count, up to the limit, and when the oldest of them was."""
    since = at - DECLINES_WINDOW
    both = union_all(
        select(Charge.created_at.label("declined_at")).where(
            Charge.fan_id == fan_id,
            Charge.created_at > since,
            Charge.state == ChargeState.DECLINED.value,
        ),
        select(CardDecline.declined_at).where(
            CardDecline.fan_id == fan_id, CardDecline.declined_at > since
        ),
    ).subquery()
    latest = (
        select(both.c.declined_at)
        .order_by(both.c.declined_at.desc())
        .limit(DECLINES_PER_DAY_MAX)
        .subquery()
    )
    return select(func.count(), func.min(latest.c.declined_at))
