"""Whom an event of Stripe's concerns: which run has to look at what has changed.

An event is a hint, never the news itself: events come late, twice, in any order, or not at all.
Its owner reads the object from Stripe and goes on from there.

Objects that we made name the row (`op_id`), its kind (`op_kind`) and the run that waits
(`workflow_id`) in their metadata. A PaymentIntent hands its metadata on to its charge; nothing
hands any to a dispute, which begins at Stripe. What should name a row of ours and does not was
made by somebody else, in Stripe's dashboard.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from domain.ids import (
    connect_workflow_id,
    dispute_workflow_id,
    payout_workflow_id,
    refund_workflow_id,
)

PARKED_FOR = timedelta(days=3)
"""For so long the owner of an event is looked for; as long as Stripe tries to deliver one."""

OVERLAP = timedelta(minutes=15)
"""What is polled again of the time before: events may appear late, and clocks differ."""

KEPT_FOR = timedelta(days=60)
"""Then what is handled or ignored is deleted; twice as long as Stripe lists events."""

FIRST_POLL = timedelta(days=1)
"""How far back the first poll looks."""


class EventState(StrEnum):
    NEW = "new"
    """Written down; its owner was not told yet."""
    HANDLED = "handled"
    """Its owner was told, or has known it before."""
    PARKED = "parked"
    """It has no owner: `reason` says why."""
    IGNORED = "ignored"
    """Of no concern to us."""


class ParkedBecause(StrEnum):
    MADE_ELSEWHERE = "made_elsewhere"
    """The object was not made by us: by hand, in Stripe's dashboard."""
    OWNER_UNKNOWN = "owner_unknown"
    """It says that we made it, and who waits for it can't be told, or there is no such row."""
    NO_RUN = "no_run"
    """Its run is over, and what the event tells is not in our rows."""


class OwnerKind(StrEnum):
    """What the owner is about; decides whether and how its run is started."""

    CHARGE = "charge"
    SETUP = "setup"
    REFUND = "refund"
    PAYOUT = "payout"
    DISPUTE = "dispute"
    CONNECT = "connect"


@dataclass(frozen=True, slots=True)
class EventFacts:
    """What is known of an event."""

    id: str
    type: str
    object_id: str
    account: str | None = None
    """The connected account it happened on; None: the platform's own."""
    op_id: str | None = None
    op_kind: str | None = None
    workflow_id: str | None = None
    creator_id: str | None = None
    """Whose connected account it is, where that is known."""


@dataclass(frozen=True, slots=True)
class Owner:
    kind: OwnerKind
    workflow_id: str
    subject_id: str
    """Of our row; of a dispute Stripe's id; of an account its creator's."""


Told = Owner | ParkedBecause | None
"""None: of no concern."""

WORKFLOW_OF: dict[OwnerKind, Callable[[str], str]] = {
    OwnerKind.REFUND: refund_workflow_id,
    OwnerKind.PAYOUT: payout_workflow_id,
}
"""Kinds whose run follows from the row's id. A run of any other kind is named by the object."""

_OF_ROWS: tuple[tuple[str, frozenset[OwnerKind]], ...] = (
    ("payment_intent.", frozenset({OwnerKind.CHARGE})),
    ("setup_intent.", frozenset({OwnerKind.SETUP})),
    ("refund.", frozenset({OwnerKind.REFUND})),
    ("transfer.", frozenset({OwnerKind.PAYOUT})),
    ("payout.", frozenset({OwnerKind.PAYOUT})),
)
"""Types of events by how they begin, and what rows their objects may be of."""

POLLED = (
    *("payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled"),
    *("payment_intent.requires_action", "payment_intent.processing"),
    *("setup_intent.succeeded", "setup_intent.setup_failed", "setup_intent.canceled"),
    *("refund.created", "refund.updated", "refund.failed"),
    *("charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed"),
    *("charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated"),
    *("transfer.created", "transfer.updated", "transfer.reversed"),
)
"""Types that the platform's endpoint subscribes to, and that are polled; at most 20."""

POLLED_OF_ACCOUNTS = (
    *("account.updated", "account.application.deauthorized"),
    *("account.external_account.created", "account.external_account.updated"),
    "account.external_account.deleted",
    *("payout.created", "payout.updated", "payout.paid", "payout.failed", "payout.canceled"),
)
"""The same of the endpoint for connected accounts."""

_TELL_NOTHING = frozenset({"payment_intent.created", "setup_intent.created"})
"""Whoever made the object has the answer, or will look for it."""


def owner_of(event: EventFacts) -> Told:
    """Who has to hear of it. Pure: from what the event says."""
    if event.type.startswith("charge.dispute."):
        return Owner(OwnerKind.DISPUTE, dispute_workflow_id(event.object_id), event.object_id)
    if event.type.startswith("account.") and event.account is not None:
        return _owner_of_account(event)
    if event.type in _TELL_NOTHING or _is_own_payout(event):
        return None
    for beginning, kinds in _OF_ROWS:
        if event.type.startswith(beginning):
            return _owner_of_row(event, kinds)
    return None


def _owner_of_account(event: EventFacts) -> Told:
    """Also of its bank accounts, and of its creator's taking our access away."""
    creator_id = event.creator_id
    if creator_id is None:
        return ParkedBecause.MADE_ELSEWHERE
    return Owner(OwnerKind.CONNECT, connect_workflow_id(creator_id), creator_id)


def _owner_of_row(event: EventFacts, kinds: frozenset[OwnerKind]) -> Told:
    if event.op_id is None or event.op_kind is None:
        return ParkedBecause.MADE_ELSEWHERE
    if event.op_kind not in kinds:
        return ParkedBecause.OWNER_UNKNOWN
    kind = OwnerKind(event.op_kind)
    derive = WORKFLOW_OF.get(kind)
    workflow_id = derive(event.op_id) if derive is not None else event.workflow_id
    if workflow_id is None:
        return ParkedBecause.OWNER_UNKNOWN
    return Owner(kind, workflow_id, event.op_id)


def _is_own_payout(event: EventFacts) -> bool:
    """From the platform's balance to its own bank: the operator's business."""
    return event.type.startswith("payout.") and event.account is None


_KNOWN_IN: dict[str, frozenset[str]] = {
    "payment_intent.succeeded": frozenset({"paid"}),
    "payment_intent.canceled": frozenset({"canceled", "declined", "paid"}),
    "payment_intent.payment_failed": frozenset({"canceled", "declined", "paid"}),
    # A card that came after its form was closed is not kept; no money hangs on it.
    "setup_intent.succeeded": frozenset({"succeeded", "expired", "canceled"}),
    "refund.failed": frozenset({"failed", "refused"}),
    "payout.failed": frozenset({"returning", "returned", "needs_ops", "released"}),
    "payout.canceled": frozenset({"returning", "returned", "needs_ops", "released"}),
    "transfer.reversed": frozenset({"returning", "returned", "needs_ops"}),
}
"""States of the row in which an event is no news. One of any other type tells only what the run
has seen before it ended."""


def is_news(event_type: str, row_state: str | None) -> bool:
    """Whether an event tells what our row does not know. `row_state`: None where there is no
    row."""
    known_in = _KNOWN_IN.get(event_type)
    if known_in is None:
        return row_state is None
    return row_state not in known_in
