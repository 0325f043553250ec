"""What a charge does to the purchase that it is for, in the charge's own transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.access import GrantSource
from domain.charges.states import ChargeState
from domain.ids import derived_id
from domain.messages import MessageState
from domain.posts import PostState
from domain.unlocks.states import STATE_OF_CHARGE, EndReason, UnlockState
from infra.models import Charge, Entitlement, Message, Post, Unlock


def right_id(charge_id: str) -> str:
    """Of the right that a paid charge gives."""
    return derived_id("entitlement", charge_id)


def follow_charge(session: Session, charge: Charge) -> None:
    """Let the purchase stand as its charge does. Paid: the fan gets the right, unless the post
    or message is not there to be seen any more; then the money has to go back."""
    is_paid = charge.state == ChargeState.PAID
    unlock, is_there = _with_item(session, charge.subject_id)
    if is_paid and not is_there:
        unlock.state = UnlockState.REFUNDING.value
        return
    unlock.state = STATE_OF_CHARGE[ChargeState(charge.state)].value
    unlock.decline_code = charge.decline_code
    unlock.unlocked_at = charge.paid_at
    if not is_paid:
        return
    session.execute(
        insert(Entitlement)
        .values(
            id=right_id(charge.id),
            fan_id=unlock.fan_id,
            creator_id=unlock.creator_id,
            post_id=unlock.post_id,
            message_id=unlock.message_id,
            source=GrantSource.UNLOCK.value,
            starts_at=charge.paid_at,
            created_at=charge.paid_at,
        )
        .on_conflict_do_nothing()
    )


def _with_item(session: Session, unlock_id: str) -> tuple[Unlock, bool]:
    """A purchase, locked, and whether what is bought is there to be seen."""
    unlock, post_state, message_state = session.execute(
        select(Unlock, Post.state, Message.state)
        .outerjoin(Post, Post.id == Unlock.post_id)
        .outerjoin(Message, Message.id == Unlock.message_id)
        .where(Unlock.id == unlock_id)
        .with_for_update(of=Unlock)
        .execution_options(populate_existing=True)
    ).one()
    if unlock.message_id is not None:
        return unlock, message_state == MessageState.SENT
    return unlock, post_state == PostState.PUBLISHED


def take_back(session: Session, charge: Charge, *, at: datetime, why: str) -> None:
    """End a purchase whose money went back, and the right with it.

    Args:
        why: `refunded` or `disputed`.
    """
    unlock = _locked(session, charge.subject_id)
    if unlock.state == UnlockState.ENDED:
        return
    is_gone = unlock.state == UnlockState.REFUNDING
    unlock.state = UnlockState.ENDED.value
    unlock.ended_at = at
    unlock.ended_reason = (EndReason.ITEM_GONE if is_gone else EndReason(why)).value
    session.execute(
        update(Entitlement)
        .where(Entitlement.id == right_id(charge.id), Entitlement.revoked_at.is_(None))
        .values(revoked_at=at)
    )


def _locked(session: Session, unlock_id: str) -> Unlock:
    return session.get_one(Unlock, unlock_id, with_for_update=True, populate_existing=True)
