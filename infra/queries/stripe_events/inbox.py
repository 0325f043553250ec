"""Events as they come in, how they are settled, and what our rows know already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.stripe_events import (
    FIRST_POLL,
    KEPT_FOR,
    PARKED_FOR,
    EventFacts,
    EventState,
    Owner,
    OwnerKind,
    ParkedBecause,
    Told,
    is_news,
    owner_of,
)
from infra.models import (
    CardSetup,
    Charge,
    ConnectedAccount,
    Payout,
    Refund,
    StripeEvent,
    StripePoll,
)
from infra.stripe.objects import Event

PLATFORM = ""
"""Stands for the platform's own account where accounts are listed."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An event in the inbox, and whom it concerns. `is_new`: it was not there before."""

    facts: EventFacts
    owner: Owner | None
    state: EventState
    """That it begins in."""
    is_new: bool


def keep(session: Session, event: Event, *, at: datetime, was_polled: bool = False) -> Kept:
    """Write an event down; one that is there already stays as it is."""
    facts = _facts_of(session, event)
    owner = owner_of(facts)
    state = _begins_in(owner)
    made = session.scalar(
        insert(StripeEvent)
        .values(
            id=event.id,
            type=event.type,
            account=event.account,
            object_id=event.object_id,
            object_type=event.object_type,
            op_id=event.op_id,
            op_kind=event.op_kind,
            workflow_id=event.workflow_id,
            created_at=event.created_at,
            received_at=at,
            was_polled=was_polled,
            state=state,
            reason=owner if isinstance(owner, ParkedBecause) else None,
            settled_at=None if state is EventState.NEW else at,
            owner_workflow_id=owner.workflow_id if isinstance(owner, Owner) else None,
        )
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(StripeEvent.id)
    )
    return Kept(facts, owner if isinstance(owner, Owner) else None, state, made is not None)


def _begins_in(owner: Told) -> EventState:
    match owner:
        case Owner():
            return EventState.NEW
        case ParkedBecause():
            return EventState.PARKED
        case None:
            return EventState.IGNORED


def _facts_of(session: Session, event: Event) -> EventFacts:
    creator_id = None
    if event.account is not None:
        creator_id = session.scalar(
            select(ConnectedAccount.creator_id).where(ConnectedAccount.account_id == event.account)
        )
        # An account that was made a moment ago may not stand in our rows yet.
        if creator_id is None and event.op_kind == OwnerKind.CONNECT:
            creator_id = event.op_id
    return EventFacts(
        id=event.id,
        type=event.type,
        object_id=event.object_id,
        account=event.account,
        op_id=event.op_id,
        op_kind=event.op_kind,
        workflow_id=event.workflow_id,
        creator_id=creator_id,
    )


def settle(
    session: Session,
    event_id: str,
    state: EventState,
    *,
    at: datetime,
    reason: ParkedBecause | None = None,
    owner: Owner | None = None,
) -> None:
    """How it ended to tell its owner."""
    row = session.get_one(StripeEvent, event_id, with_for_update=True)
    row.state, row.reason, row.settled_at = state, reason, at
    row.attempts += 1
    if owner is not None:
        row.owner_workflow_id = owner.workflow_id


def settle_untold(
    session: Session, facts: EventFacts, owner: Owner, *, at: datetime
) -> ParkedBecause | None:
    """Of an event whose run is over: handled (None) where our row knows it, else parked."""
    known = _row_state(session, owner)
    if not is_news(facts.type, known):
        settle(session, facts.id, EventState.HANDLED, at=at, owner=owner)
        return None
    # Without a row it is of somebody who shares our account at Stripe.
    reason = ParkedBecause.OWNER_UNKNOWN if known is None else ParkedBecause.NO_RUN
    settle(session, facts.id, EventState.PARKED, at=at, reason=reason, owner=owner)
    return reason


def _row_state(session: Session, owner: Owner) -> str | None:
    """None where there is no row, and for what has no state of its own."""
    match owner.kind:
        case OwnerKind.CHARGE:
            return session.scalar(select(Charge.state).where(Charge.id == owner.subject_id))
        case OwnerKind.REFUND:
            return session.scalar(select(Refund.state).where(Refund.id == owner.subject_id))
        case OwnerKind.PAYOUT:
            return session.scalar(select(Payout.state).where(Payout.id == owner.subject_id))
        case OwnerKind.SETUP:
            return session.scalar(select(CardSetup.state).where(CardSetup.id == owner.subject_id))
        case OwnerKind.DISPUTE | OwnerKind.CONNECT:
            return None


def untold(session: Session, *, at: datetime, limit: int) -> Sequence[StripeEvent]:
    """Events whose owner was not told yet, and those without one that are still looked into;
    oldest first."""
    return session.scalars(
        select(StripeEvent)
        .where(
            (StripeEvent.state == EventState.NEW)
            | (
                (StripeEvent.state == EventState.PARKED)
                & (StripeEvent.received_at > at - PARKED_FOR)
                # What was made elsewhere stays so; an account may come to be known.
                & (
                    (StripeEvent.reason != ParkedBecause.MADE_ELSEWHERE)
                    | StripeEvent.type.startswith("account.")
                )
            ),
        )
        .order_by(StripeEvent.received_at)
        .limit(limit)
    ).all()


def event_of(row: StripeEvent) -> Event:
    """As it came in."""
    return Event(
        id=row.id,
        type=row.type,
        object_id=row.object_id,
        object_type=row.object_type,
        account=row.account,
        created_at=row.created_at,
        op_id=row.op_id,
        op_kind=row.op_kind,
        workflow_id=row.workflow_id,
    )


def polled_until(session: Session, account: str | None, *, at: datetime) -> datetime:
    """Up to when events have been polled; a day ago where they never were."""
    poll = session.get(StripePoll, account or PLATFORM)
    return at - FIRST_POLL if poll is None else poll.polled_until


def note_polled(session: Session, account: str | None, *, until: datetime) -> None:
    """Of two that poll at once, the one that came further counts."""
    poll = insert(StripePoll).values(account=account or PLATFORM, polled_until=until)
    session.execute(
        poll.on_conflict_do_update(
            index_elements=["account"],
            set_={"polled_until": func.greatest(StripePoll.polled_until, until)},
        )
    )


def known_ids(session: Session, ids: Sequence[str]) -> set[str]:
    return set(session.scalars(select(StripeEvent.id).where(StripeEvent.id.in_(ids))))


def accounts_of_open_payouts(session: Session) -> list[str]:
    """Connected accounts whose events are waited for."""
    found = session.scalars(
        select(Payout.account_id)
        .where(Payout.state.in_(["submitting", "in_transit", "paid"]))
        .distinct()
        .order_by(Payout.account_id)
    )
    return [account_id for account_id in found if account_id is not None]


def count_given_up(session: Session, *, at: datetime) -> int:
    """Events whose owner was not found in time; those made elsewhere are the reconciliation's."""
    return (
        session.scalar(
            select(func.count())
            .select_from(StripeEvent)
            .where(
                StripeEvent.received_at <= at - PARKED_FOR,
                StripeEvent.state == EventState.PARKED,
                StripeEvent.reason != ParkedBecause.MADE_ELSEWHERE,
            )
        )
        or 0
    )


def delete_old(session: Session, *, at: datetime, limit: int) -> int:
    """What is settled and can't be polled again; returns how many."""
    old = (
        select(StripeEvent.id)
        .where(
            StripeEvent.created_at <= at - KEPT_FOR,
            StripeEvent.state.in_([EventState.HANDLED, EventState.IGNORED]),
        )
        .order_by(StripeEvent.created_at)
        .limit(limit)
    )
    gone = session.scalars(
        delete(StripeEvent).where(StripeEvent.id.in_(old)).returning(StripeEvent.id)
    )
    return len(gone.all())
