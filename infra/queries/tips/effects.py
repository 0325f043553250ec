"""What a charge does to the tip that it is for, in the charge's own transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from domain.charges.states import ChargeState
from domain.tips import STATE_OF_CHARGE, TipState
from infra.models import Charge, Tip


def follow_charge(session: Session, charge: Charge) -> None:
    """Let the tip stand as its charge does."""
    tip = _locked(session, charge.subject_id)
    tip.state = STATE_OF_CHARGE[ChargeState(charge.state)].value
    tip.decline_code = charge.decline_code
    tip.sent_at = charge.paid_at


def take_back(session: Session, charge: Charge, *, at: datetime, why: str) -> None:
    """Say of a tip that its money went back; there is nothing else to take.

    Args:
        why: `refunded` or `disputed`.
    """
    tip = _locked(session, charge.subject_id)
    if tip.state != TipState.TAKEN_BACK:
        tip.state = TipState.TAKEN_BACK.value
        tip.taken_back_at = at
        tip.taken_back_reason = why


def _locked(session: Session, tip_id: str) -> Tip:
    return session.get_one(Tip, tip_id, with_for_update=True, populate_existing=True)
