"""Cards that were refused, in payments and when they were added: one count for both."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from domain.errors import RateLimited
from domain.payment_methods import DECLINES_PER_DAY_MAX, DECLINES_WINDOW
from infra.models import CardDecline, CardSetup
from infra.stripe.objects import SetupAttempt

_LATEST = text("""
    SELECT count(*), min(latest.declined_at) FROM (
        SELECT both_kinds.declined_at FROM (
            SELECT c.created_at AS declined_at FROM charges c
            WHERE c.fan_id = CAST(:fan_id AS uuid) AND c.created_at > :since
                AND c.state = 'declined'
            UNION ALL
            SELECT d.declined_at FROM card_declines d
            WHERE d.fan_id = CAST(:fan_id AS uuid) AND d.declined_at > :since
        ) both_kinds
        ORDER BY both_kinds.declined_at DESC
        LIMIT :most
    ) latest
""")
"""How many of the last refusals count, up to the limit, and when the oldest of them was."""


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
    count, _ = session.execute(_LATEST, _of(fan_id, at)).one()
    return bool(count >= DECLINES_PER_DAY_MAX)


async def refuse_too_many_declines(session: AsyncSession, *, fan_id: str, at: datetime) -> None:
    """Stop who tries one card after the other.

    Raises:
        RateLimited: `declines`, after `DECLINES_PER_DAY_MAX` in 24 hours.
    """
    count, first = (await session.execute(_LATEST, _of(fan_id, at))).one()
    if count >= DECLINES_PER_DAY_MAX:
        wait = (first + DECLINES_WINDOW - at).total_seconds()
        raise RateLimited(
            "Too many cards were declined. Try again later, or ask your bank.",
            limit="declines",
            retry_after_seconds=max(1, int(wait) + 1),
        )


def _of(fan_id: str, at: datetime) -> dict[str, Any]:
    return {"fan_id": fan_id, "since": at - DECLINES_WINDOW, "most": DECLINES_PER_DAY_MAX}
