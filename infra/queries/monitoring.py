"""What the monitor asks of the database: how long work waits, and whether the books are right.

Each question reads a few rows by a partial index, or one row for each account of the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from domain.media.states import MediaState
from domain.payouts.states import PayoutState
from domain.posts import PostState
from domain.refunds import RefundState
from domain.stripe_calls import CallState
from domain.stripe_events import EventState
from domain.subscriptions.gifts import GiftState
from domain.subscriptions.states import SubscriptionState
from domain.tips import TipState
from domain.unlocks.states import UnlockState
from infra.models import (
    AccountBalance,
    Backup,
    Charge,
    Gift,
    Journal,
    LedgerAccount,
    Mail,
    Media,
    PaymentMethod,
    Payout,
    Post,
    Reconciliation,
    Refund,
    StripeCall,
    StripeEvent,
    Subscription,
    Tip,
    Unlock,
)
from infra.queries.charges.unfinished import unfinished

STATEMENT_SECONDS_MAX = 10
_BRISK_PAYOUTS = (
    *(PayoutState.REQUESTED, PayoutState.RESERVED, PayoutState.TRANSFERRING),
    *(PayoutState.FUNDED, PayoutState.SUBMITTING, PayoutState.RETURNING),
)
"""States that only our own run leads out of; the others wait for a bank or a person."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Rows of one kind that wait for their run, or for what it does next."""

    kind: str
    count: int
    oldest_at: datetime | None


_REPEATED_BY_PEOPLE = ("/accounts", "/account_links")
"""Orders of which no run waits for the answer: whoever asked asks again, or lets it be."""

_Question = tuple[InstrumentedAttribute[Any], tuple[ColumnElement[bool], ...]]


def _questions(now: datetime) -> dict[str, _Question]:
    """What waits by which column's time. What waits for somebody else is left out."""
    return {
        "media": (
            Media.updated_at,
            (Media.state.in_([MediaState.PROCESSING, MediaState.PLAYABLE]),),
        ),
        "deletions": (
            Media.deleted_at,
            (Media.state == MediaState.DELETED, Media.erased_at.is_(None)),
        ),
        "mails": (Mail.created_at, (Mail.sent_at.is_(None), Mail.given_up_at.is_(None))),
        "posts": (Post.publish_at, (Post.state == PostState.SCHEDULED, Post.publish_at < now)),
        "unlocks": (Unlock.quoted_at, (Unlock.state == UnlockState.CHARGING,)),
        "tips": (Tip.created_at, (Tip.state == TipState.CHARGING,)),
        "gifts": (Gift.created_at, (Gift.state == GiftState.CHARGING,)),
        "card_removals": (
            PaymentMethod.removed_at,
            (PaymentMethod.removed_at.is_not(None), PaymentMethod.detached_at.is_(None)),
        ),
        "paid_charges": (Charge.paid_at, unfinished()),
        "refunds": (Refund.created_at, (Refund.state == RefundState.REQUESTED,)),
        "payouts": (Payout.updated_at, (Payout.state.in_(_BRISK_PAYOUTS),)),
        "subscriptions": (
            Subscription.wake_at,
            (
                Subscription.wake_at < now,
                Subscription.state.not_in([SubscriptionState.CANCELED, SubscriptionState.EXPIRED]),
            ),
        ),
        "stripe_events": (StripeEvent.received_at, (StripeEvent.state == EventState.NEW,)),
        "stripe_orders": (
            StripeCall.wall_sent_at,
            (
                StripeCall.state.in_([CallState.INTENT, CallState.UNKNOWN]),
                StripeCall.path.not_in(_REPEATED_BY_PEOPLE),
            ),
        ),
    }


def bound_time(session: Session) -> None:
    """Nothing that the monitor asks may burden the database for long."""
    session.execute(text(f"SET LOCAL statement_timeout TO {STATEMENT_SECONDS_MAX * 1000}"))


def waiting(session: Session, *, now: datetime) -> Iterator[Waiting]:
    for kind, (column, conditions) in _questions(now).items():
        count, oldest_at = session.execute(
            select(func.count(), func.min(column)).where(*conditions)
        ).one()
        yield Waiting(kind, count, oldest_at)


def parked_events(session: Session) -> dict[str, int]:
    """Events of Stripe's that have no owner, by the reason."""
    found = session.execute(
        select(StripeEvent.reason, func.count())
        .where(StripeEvent.state == EventState.PARKED)
        .group_by(StripeEvent.reason)
    )
    return {str(reason): count for reason, count in found}


def imbalances_minor(session: Session) -> dict[str, int]:
    """The sum of all balances, by currency: 0, or the ledger is broken."""
    found = session.execute(
        select(LedgerAccount.currency, func.coalesce(func.sum(AccountBalance.posted_minor), 0))
        .outerjoin(AccountBalance, AccountBalance.account_id == LedgerAccount.id)
        .group_by(LedgerAccount.currency)
    )
    return {currency: int(total) for currency, total in found}


def last_backup_at(session: Session) -> datetime | None:
    """Which moment the newest backup shows; None where none was ever made by `ops.backup`."""
    return session.scalar(select(func.max(Backup.begun_at)))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of the ledger with Stripe's books: the last one, or that there was none yet."""

    since: datetime
    """When it ended; without one, when the first journal was posted."""
    breaks_found: int | None


def last_comparison(session: Session) -> Comparison | None:
    """None while there is nothing to compare."""
    found = session.execute(
        select(Reconciliation.ended_at, Reconciliation.breaks_found)
        .order_by(Reconciliation.ended_at.desc(), Reconciliation.id.desc())
        .limit(1)
    ).one_or_none()
    if found is not None:
        return Comparison(*found)
    first_at = session.scalar(select(func.min(Journal.effective_at)))
    return None if first_at is None else Comparison(first_at, None)
