"""What creators send to fans for a price, and take away again."""

from __future__ import annotations

from sqlalchemy import select

from domain.access import Caller
from domain.messages import MessageState
from infra.db import async_transaction
from infra.models import Message, User
from infra.queries.messages.sending import Draft, delete_message, send_message
from simulation.money.parts import Parts
from simulation.money.picks import Picks

PRICES_MINOR = (300, 999, 5000)


async def write(parts: Parts, picks: Picks) -> None:
    """A creator writes to a fan, who has to buy it to see it."""
    creator_id = picks.of(parts.cast.creators, "creator")
    async with async_transaction(parts.async_engine) as session:
        await send_message(
            session,
            await session.get_one(User, creator_id),
            Draft(
                id=picks.row_id("message"),
                receiver_id=picks.of(parts.cast.fans, "fan"),
                key=picks.row_id("key"),
                body="For you alone.",
                media_ids=(),
                price_minor=picks.of(PRICES_MINOR, "choice"),
                currency="USD",
                at=parts.now,
            ),
            caller=Caller(creator_id),
        )


async def unsend(parts: Parts, picks: Picks) -> None:
    """A creator deletes what they sent, while somebody may be buying it."""
    async with async_transaction(parts.async_engine) as session:
        sent = (
            await session.scalars(
                select(Message).where(Message.state == MessageState.SENT.value).order_by(Message.id)
            )
        ).all()
        if sent:
            message = picks.of(sent, "thing")
            await delete_message(
                session, sender_id=message.sender_id, message_id=message.id, at=parts.now
            )
