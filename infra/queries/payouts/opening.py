"""Payouts that begin: asked for, reserved, released again before anything has left."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.errors import Conflict, FansworldError, Invalid
from domain.ids import payout_workflow_id
from domain.ledger.payouts import NoPayout, NotReserved
from domain.money import payout_step_minor
from domain.payouts.amounts import minimum_minor
from domain.payouts.eligibility import Eligible, Refusal, Refused, Standing, decide_payout
from domain.payouts.review import ReviewPolicy
from domain.payouts.states import PayoutKind, PayoutState
from infra.models import ConnectedAccount, Payout
from infra.queries.ledger import lock_creator_money, reserve_payout, return_payout
from infra.queries.payouts.rows import lock_payout, move
from infra.queries.payouts.standing import last_account_id, standing_of

DEFAULT_CURRENCY = "USD"
"""Of whom neither they nor Stripe say which is meant; they are refused for another reason."""
REJECTED = "rejected_by_staff"
"""The reason of a payout that staff did not let go."""
_OF_LEDGER = {
    NoPayout.BLOCKED: Refusal.BLOCKED,
    NoPayout.DEBT: Refusal.IN_DEBT,
    NoPayout.HOLD: Refusal.DISPUTED,
    NoPayout.BELOW_MINIMUM: Refusal.BELOW_MINIMUM,
}


def ask_for_payout(
    session: Session, *, payout_id: str, creator_id: str, currency: str | None, at: datetime
) -> Payout:
    """Write a payout that its creator asks for, if they may have one now. A repeat finds it.

    Args:
        currency: None for the one that their account takes.

    Raises:
        Conflict: with the code of a `Refusal`.
    """
    lock_creator_money(session, creator_id)
    before = session.get(Payout, payout_id)
    if before is not None:
        return before
    account = session.get(ConnectedAccount, creator_id)
    own = account.default_currency if account is not None else None
    standing = standing_of(session, creator_id, currency or own or DEFAULT_CURRENCY)
    decided = decide_payout(standing)
    if isinstance(decided, Refused):
        raise refusal_error(decided)
    return _write(
        session,
        payout_id=payout_id,
        creator_id=creator_id,
        currency=standing.currency,
        kind=PayoutKind.ON_DEMAND,
        at=at,
    )


def plan_weekly(
    session: Session, *, payout_id: str, creator_id: str, currency: str, day: date, at: datetime
) -> Payout | Refused:
    """Write a payout of a batch, or say why there is none. A repeat finds the first one's."""
    lock_creator_money(session, creator_id)
    before = session.get(Payout, payout_id)
    if before is not None:
        return before
    decided = decide_payout(standing_of(session, creator_id, currency))
    if isinstance(decided, Refused):
        return decided
    return _write(
        session,
        payout_id=payout_id,
        creator_id=creator_id,
        currency=currency,
        kind=PayoutKind.WEEKLY,
        at=at,
        batch_day=day,
    )


def _write(
    session: Session,
    *,
    payout_id: str,
    creator_id: str,
    currency: str,
    kind: PayoutKind,
    at: datetime,
    batch_day: date | None = None,
) -> Payout:
    row = insert(Payout).values(
        id=payout_id,
        creator_id=creator_id,
        kind=kind.value,
        currency=currency,
        batch_day=batch_day,
        state=PayoutState.REQUESTED.value,
        created_at=at,
        updated_at=at,
    )
    session.execute(row)
    return session.get_one(Payout, payout_id)


def open_payout(
    session: Session,
    payout_id: str,
    *,
    at: datetime,
    platform_minor: int | None,
    policy: ReviewPolicy,
) -> Payout:
    """Set all that is available apart for a payout that was asked for; or release it and say
    why. One that is further on stays as it is.

    Args:
        platform_minor: what Stripe has available for transfers in this currency; None where
            nobody has asked it, because the payout is further on.
    """
    payout = lock_payout(session, payout_id)
    if payout.state != PayoutState.REQUESTED:
        return payout
    standing = standing_of(
        session,
        payout.creator_id,
        payout.currency,
        platform_minor=platform_minor,
        apart_from=payout.id,
    )
    decided = decide_payout(standing)
    if isinstance(decided, Refused):
        move(payout, PayoutState.RELEASED, at=at, reason=decided.reason.value)
        return payout
    return _reserve(session, payout, decided, at=at, policy=policy)


def _reserve(
    session: Session, payout: Payout, decided: Eligible, *, at: datetime, policy: ReviewPolicy
) -> Payout:
    reserved = reserve_payout(
        session,
        payout_id=payout.id,
        creator_id=payout.creator_id,
        currency=payout.currency,
        at=at,
        minimum_minor=minimum_minor(payout.currency),
        round_to_minor=payout_step_minor(payout.currency),
        workflow_id=payout_workflow_id(payout.id),
    )
    if isinstance(reserved, NotReserved):
        move(payout, PayoutState.RELEASED, at=at, reason=_OF_LEDGER[reserved.reason].value)
        return payout
    assert reserved.amount_minor == decided.amount_minor, "both are of what is available"
    account = session.get_one(ConnectedAccount, payout.creator_id)
    payout.amount_minor, payout.account_id = reserved.amount_minor, account.account_id
    payout.reserved_at = at
    reasons = policy.reasons(
        amount_minor=reserved.amount_minor,
        currency=payout.currency,
        account_id=account.account_id,
        last_account_id=last_account_id(session, payout.creator_id),
    )
    payout.review_reasons = [reason.value for reason in reasons]
    move(payout, PayoutState.REVIEW if reasons else PayoutState.RESERVED, at=at)
    return payout


def why_not_send(session: Session, payout: Payout) -> Refused | None:
    """Why a reserved payout is not sent now: much may have happened while it was looked at.
    What is available does not count any more: it is set aside."""
    standing = standing_of(session, payout.creator_id, payout.currency, apart_from=payout.id)
    assert payout.amount_minor is not None
    as_before = Standing(
        currency=standing.currency,
        available_minor=payout.amount_minor,
        owed_minor=standing.owed_minor,
        held_minor=standing.held_minor,
        account=standing.account,
        is_suspended=standing.is_suspended,
        is_blocked=standing.is_blocked,
    )
    decided = decide_payout(as_before)
    return decided if isinstance(decided, Refused) else None


def release_payout(session: Session, payout: Payout, *, at: datetime, reason: str) -> None:
    """Give back what was set aside for a locked payout of which nothing has left."""
    if payout.amount_minor is not None:
        return_payout(
            session,
            payout_id=payout.id,
            at=at,
            workflow_id=payout_workflow_id(payout.id),
        )
    move(payout, PayoutState.RELEASED, at=at, reason=reason)


def decide_review(
    session: Session,
    payout_id: str,
    *,
    approved: bool,
    by: str,
    note: str | None,
    at: datetime,
) -> tuple[Payout, bool]:
    """Let a payout in review go, or release it; and whether that is news.

    Repeating a decision changes nothing, whoever repeats it.

    Raises:
        NotFound: `payout_unknown`.
        Conflict: `payout_not_in_review`; it never was, or somebody has decided otherwise.
    """
    payout = lock_payout(session, payout_id)
    if payout.state != PayoutState.REVIEW:
        rejected = payout.state == PayoutState.RELEASED and payout.reason == REJECTED
        if payout.decided_at is not None and approved is not rejected:
            return payout, False
        raise Conflict(
            "This payout does not wait for a decision.",
            code="payout_not_in_review",
            state=payout.state,
        )
    payout.decided_by, payout.decided_at, payout.decision_note = by, at, note
    if approved:
        move(payout, PayoutState.RESERVED, at=at)
    else:
        release_payout(session, payout, at=at, reason=REJECTED)
    return payout, True


def refusal_error(refused: Refused) -> FansworldError:
    kind = Invalid if refused.reason is Refusal.CURRENCY_UNKNOWN else Conflict
    return kind(refused.sentence, code=refused.reason.value, **refused.facts)
