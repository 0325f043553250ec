"""What is answered to a dispute: decided by staff, or by the setting when its time has come."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from domain.disputes import Answer, DisputeState, check_may_decide
from domain.errors import NotFound
from infra.models import Dispute


def dispute_unknown() -> NotFound:
    return NotFound("There is no such dispute.", code="dispute_unknown")


def decide(
    session: Session, dispute_id: str, answer: Answer, *, by: str | None, at: datetime
) -> tuple[Dispute, bool]:
    """Write an answer down, for the dispute's run to give; and whether that is news.

    From then on its evidence stays as it is.

    Raises:
        NotFound: `dispute_unknown`.
        Conflict: `dispute_answered`, `dispute_decided` or `inquiry_not_accepted`.
    """
    dispute = session.get(Dispute, dispute_id, with_for_update=True, populate_existing=True)
    if dispute is None:
        raise dispute_unknown()
    decided = Answer(dispute.answer) if dispute.answer is not None else None
    check_may_decide(DisputeState(dispute.state), decided, answer)
    if decided is answer:
        return dispute, False
    dispute.answer, dispute.answered_by, dispute.answered_at = answer.value, by, at
    session.flush()
    return dispute, True
