"""Beginning a purchase. Inside the caller's transaction, which the API opens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.unlocks.states import UnlockState
from domain.unlocks.terms import UnlockTerms
from infra.ids import new_id
from infra.models import Unlock


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a fan wants to buy, a post or a message, and with which card."""

    fan_id: str
    creator_id: str
    post_id: str | None = None
    message_id: str | None = None
    terms: UnlockTerms
    payment_method_id: str
    at: datetime


async def begin_unlock(session: AsyncSession, wish: Wish) -> Unlock:
    """The one live purchase of this fan and item, locked: made now, tried again if the last try
    was declined, or as it is where it is under way or done."""
    terms = {
        "list_minor": wish.terms.list_minor,
        "discount_minor": wish.terms.discount_minor,
        "currency": wish.terms.currency,
        "payment_method_id": wish.payment_method_id,
        "quoted_at": wish.at,
    }
    made: Unlock | None = await session.scalar(
        insert(Unlock)
        .values(
            id=new_id(),
            fan_id=wish.fan_id,
            creator_id=wish.creator_id,
            post_id=wish.post_id,
            message_id=wish.message_id,
            state=UnlockState.CHARGING.value,
            generation=1,
            created_at=wish.at,
            **terms,
        )
        .on_conflict_do_nothing(
            # As text: of a predicate with a parameter Postgres can't tell that it is the index's,
            # once the driver has prepared the statement.
            index_elements=["fan_id", "post_id" if wish.post_id else "message_id"],
            index_where=text("state <> 'ended'"),
        )
        .returning(Unlock)
    )
    if made is not None:
        return made
    unlock = await live_unlock(
        session, fan_id=wish.fan_id, post_id=wish.post_id, message_id=wish.message_id
    )
    assert unlock is not None, "it was there a moment ago"
    if UnlockState(unlock.state).may_be_tried:
        for name, value in terms.items():
            setattr(unlock, name, value)
        unlock.state = UnlockState.CHARGING.value
        unlock.generation += 1
        unlock.decline_code = None
    return unlock


async def live_unlock(
    session: AsyncSession,
    *,
    fan_id: str,
    post_id: str | None = None,
    message_id: str | None = None,
) -> Unlock | None:
    """The purchase of this fan and post, or message, that has not ended, locked."""
    is_item = Unlock.post_id == post_id if post_id else Unlock.message_id == message_id
    return await session.scalar(
        select(Unlock)
        .where(Unlock.fan_id == fan_id, is_item, Unlock.state != "ended")
        .with_for_update()
    )
