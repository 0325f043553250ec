"""Giving access, and taking it back, each in one transaction with what it follows from."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.access import GrantSource
from domain.charges.states import ChargeState
from domain.ids import derived_id
from domain.subscriptions.gifts import STATE_OF_CHARGE, GiftKind, GiftState
from domain.subscriptions.notices import Notice
from domain.subscriptions.periods import months_after
from infra.models import Charge, Entitlement, Gift, User
from infra.queries.subscriptions.mails import in_words, write_notice


def follow_charge(session: Session, charge: Charge) -> None:
    """Let the gift stand as its charge does; paid, it is given."""
    gift = _locked(session, charge.subject_id)
    gift.decline_code = charge.decline_code
    if charge.state == ChargeState.PAID:
        assert charge.paid_at is not None, "what is paid says when"
        give(session, gift, at=charge.paid_at)
    else:
        gift.state = STATE_OF_CHARGE[ChargeState(charge.state)].value


def give(session: Session, gift: Gift, *, at: datetime) -> None:
    """Open what the gift opens, from the end of an earlier gift of the same tier on.

    The recipient's row is locked, so that of two gifts at once the second sees the first.
    """
    session.execute(
        select(User.id).where(User.id == gift.recipient_id).with_for_update(key_share=True)
    )
    starts_at = max(at, _end_of_earlier(session, gift) or at)
    if gift.months is not None:
        until = months_after(starts_at, gift.months)
    else:
        assert gift.days is not None, "a gift lasts for months or days"
        until = starts_at + timedelta(days=gift.days)
    right = Entitlement(
        id=derived_id("entitlement", gift.id),
        fan_id=gift.recipient_id,
        creator_id=gift.creator_id,
        tier_id=gift.tier_id,
        source=GrantSource.GIFT.value,
        starts_at=starts_at,
        expires_at=until,
        created_at=at,
    )
    session.add(right)
    session.flush()
    gift.state, gift.given_at, gift.entitlement_id = GiftState.GIVEN.value, at, right.id
    _tell(session, gift, until)


def _end_of_earlier(session: Session, gift: Gift) -> datetime | None:
    """Gifts follow each other, so that nobody's months are lost."""
    found: datetime | None = session.scalar(
        select(func.max(Entitlement.expires_at))
        .join(Gift, Gift.entitlement_id == Entitlement.id)
        .where(
            Gift.recipient_id == gift.recipient_id,
            Gift.creator_id == gift.creator_id,
            Gift.tier_id == gift.tier_id,
            Gift.state == GiftState.GIVEN,
            Entitlement.revoked_at.is_(None),
        )
    )
    return found


def _tell(session: Session, gift: Gift, until: datetime) -> None:
    giver = session.get_one(User, gift.giver_id)
    write_notice(
        session,
        mail_id=derived_id("mail", gift.id),
        user_id=gift.recipient_id,
        creator_id=gift.creator_id,
        notice=Notice.GIFT,
        giver=giver.handle,
        until=in_words(until),
    )


def take_back(session: Session, charge: Charge, *, at: datetime, why: str) -> None:
    """End a gift whose money went back; again it changes nothing.

    Args:
        why: `refunded` or `disputed`.
    """
    end_gift(session, _locked(session, charge.subject_id), at=at, why=why)


def end_gift(session: Session, gift: Gift, *, at: datetime, why: str) -> None:
    """Close what a locked gift opened. One that is not given, or was ended, stays as it is."""
    if gift.state != GiftState.GIVEN:
        return
    right = session.get_one(Entitlement, gift.entitlement_id, with_for_update=True)
    if right.revoked_at is None and (right.expires_at is None or right.expires_at > at):
        right.revoked_at = at
    gift.state = GiftState.TAKEN_BACK.value
    gift.taken_back_at, gift.taken_back_reason = at, why


def withdraw(session: Session, gift_id: str, *, creator_id: str, at: datetime) -> bool:
    """End what a creator gave for nothing; False where they gave no such thing."""
    gift = session.get(Gift, gift_id, with_for_update=True, populate_existing=True)
    if gift is None or gift.giver_id != creator_id or gift.kind != GiftKind.COMPLIMENTARY:
        return False
    end_gift(session, gift, at=at, why="withdrawn")
    return True


def _locked(session: Session, gift_id: str) -> Gift:
    return session.get_one(Gift, gift_id, with_for_update=True, populate_existing=True)
