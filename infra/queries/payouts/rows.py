"""The rows of payouts: found, locked, and moved from state to state."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import Conflict, NotFound
from domain.payouts.states import NEXT, PayoutState
from infra.models import Payout
from infra.queries.ledger import lock_creator_money


def find_payout(session: Session, payout_id: str) -> Payout:
    """The row as it is, without a lock.

    Raises:
        NotFound: `payout_unknown`.
    """
    payout = session.get(Payout, payout_id)
    if payout is None:
        raise payout_unknown()
    return payout


def lock_payout(session: Session, payout_id: str) -> Payout:
    """The row, with its creator's money locked before it.

    Raises:
        NotFound: `payout_unknown`.
    """
    lock_creator_money(session, find_payout(session, payout_id).creator_id)
    return session.scalars(
        select(Payout)
        .where(Payout.id == payout_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def move(payout: Payout, state: PayoutState, *, at: datetime, reason: str | None = None) -> None:
    """Put a locked payout into its next state.

    Raises:
        Conflict: `payout_moved`; that state does not follow.
    """
    if state not in NEXT[PayoutState(payout.state)]:
        raise Conflict(
            f"This payout is {payout.state} and can't become {state} any more.",
            code="payout_moved",
            state=payout.state,
            wanted=state.value,
        )
    payout.state, payout.updated_at = state.value, at
    if reason is not None:
        payout.reason = reason
    if state.is_final:
        payout.closed_at = at
        payout.attention_step = payout.attention_reason = None


def payout_unknown() -> NotFound:
    return NotFound("There is no such payout.", code="payout_unknown")
