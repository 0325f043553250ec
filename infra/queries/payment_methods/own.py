"""A fan's own cards, as the API reads and changes them. Inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import NotFound, QuotaExceeded
from domain.payment_methods import CARDS_MAX, SETUPS_OPEN_MAX, SetupState
from infra.ids import new_id
from infra.models import CardSetup, PaymentMethod
from infra.queries.payment_methods.cards import card_query
from infra.queries.payment_methods.declines import refuse_too_many_declines


async def begin_setup(session: AsyncSession, *, fan_id: str, at: datetime) -> CardSetup:
    """The row of a new setup. The fan's row is locked by the caller.

    Each open setup may still bring a card, and counts as one.

    Raises:
        QuotaExceeded: `too_many_cards`, or `too_many_card_setups`, which names the newest one.
        RateLimited: `declines`; too many cards were declined today.
    """
    await refuse_too_many_declines(session, fan_id=fan_id, at=at)
    setups = await session.scalars(
        select(CardSetup.id)
        .where(CardSetup.fan_id == fan_id, CardSetup.state == SetupState.OPEN.value)
        .order_by(CardSetup.created_at.desc(), CardSetup.id.desc())
    )
    opened = setups.all()
    if len(opened) >= SETUPS_OPEN_MAX:
        raise QuotaExceeded(
            "Finish one of the cards that you have begun to add.",
            code="too_many_card_setups",
            limit=SETUPS_OPEN_MAX,
            card_setup_id=opened[0],
        )
    cards = await session.scalar(
        select(func.count()).where(
            PaymentMethod.fan_id == fan_id, PaymentMethod.removed_at.is_(None)
        )
    )
    if (cards or 0) + len(opened) >= CARDS_MAX:
        raise QuotaExceeded(
            f"Up to {CARDS_MAX} cards can be kept, with those that are being added. Remove one.",
            code="too_many_cards",
            limit=CARDS_MAX,
        )
    setup = CardSetup(id=new_id(), fan_id=fan_id, state=SetupState.OPEN.value, created_at=at)
    session.add(setup)
    await session.flush()
    return setup


async def own_setup(session: AsyncSession, *, fan_id: str, setup_id: str) -> CardSetup:
    """Raises `NotFound` where there is none of the fan's."""
    setup = await session.scalar(
        select(CardSetup).where(CardSetup.id == setup_id, CardSetup.fan_id == fan_id)
    )
    if setup is None:
        raise NotFound("There is no such setup.", code="card_setup_not_found")
    return setup


async def own_cards(session: AsyncSession, fan_id: str) -> Sequence[PaymentMethod]:
    """The fan's cards, the newest first."""
    found = await session.scalars(
        select(PaymentMethod)
        .where(PaymentMethod.fan_id == fan_id, PaymentMethod.removed_at.is_(None))
        .order_by(PaymentMethod.added_at.desc(), PaymentMethod.id)
    )
    return found.all()


async def _locked(session: AsyncSession, fan_id: str, card_id: str) -> PaymentMethod:
    card = await session.scalar(card_query(fan_id, card_id).with_for_update())
    if card is None:
        raise NotFound("There is no such card.", code="card_not_found")
    return card


async def prefer_card(session: AsyncSession, *, fan_id: str, card_id: str) -> None:
    """Pay with this card unless another is named. The fan's row is locked by the caller."""
    card = await _locked(session, fan_id, card_id)
    if not card.is_default:
        await session.execute(
            update(PaymentMethod)
            .where(PaymentMethod.fan_id == fan_id, PaymentMethod.is_default)
            .values(is_default=False)
        )
        card.is_default = True


async def remove_card(session: AsyncSession, *, fan_id: str, card_id: str, at: datetime) -> None:
    """Charge a card no more. The newest of the others is the default then, if it was that."""
    card = await _locked(session, fan_id, card_id)
    was_default, card.is_default, card.removed_at = card.is_default, False, at
    await session.flush()
    others = await own_cards(session, fan_id)
    if was_default and others:
        others[0].is_default = True
