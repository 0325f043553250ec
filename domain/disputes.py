"""Disputes: how one goes at Stripe, what its balance transactions mean, and how it is answered.

    warning_needs_response ─► warning_under_review ─► warning_closed     inquiry: no money moves
            │                          │
            └──────────┬───────────────┘
                       ▼ escalated
                needs_response ─► under_review ─► won | lost             chargeback

States are Stripe's own (https://docs.stripe.com/api/disputes/object#dispute_object-status).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.errors import Conflict, Invalid


class DisputeState(StrEnum):
    WARNING_NEEDS_RESPONSE = "warning_needs_response"
    WARNING_UNDER_REVIEW = "warning_under_review"
    WARNING_CLOSED = "warning_closed"
    """The inquiry ended without a chargeback."""
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    """Evidence was submitted; the bank decides."""
    WON = "won"
    LOST = "lost"
    PREVENTED = "prevented"
    """Settled before it became a chargeback; nothing is taken by it."""

    @property
    def is_inquiry(self) -> bool:
        return self.value.startswith("warning_")

    @property
    def needs_answer(self) -> bool:
        return self in (DisputeState.WARNING_NEEDS_RESPONSE, DisputeState.NEEDS_RESPONSE)

    @property
    def is_final(self) -> bool:
        return _RANK[self] >= _FINAL


_RANK = {
    DisputeState.WARNING_NEEDS_RESPONSE: 0,
    DisputeState.WARNING_UNDER_REVIEW: 1,
    DisputeState.NEEDS_RESPONSE: 2,
    DisputeState.UNDER_REVIEW: 3,
    DisputeState.WARNING_CLOSED: 10,
    DisputeState.PREVENTED: 10,
    DisputeState.WON: 10,
    DisputeState.LOST: 10,
}
_FINAL = 10


def state_of(stripe_status: str) -> DisputeState:
    """
    Raises:
        Invalid: `dispute_status_unknown`.
    """
    try:
        return DisputeState(stripe_status)
    except ValueError:
        raise Invalid(
            "Stripe says of a dispute what is not known here.",
            code="dispute_status_unknown",
            status=stripe_status,
        ) from None


def after_news(state: DisputeState, said: DisputeState) -> DisputeState:
    """The state of a dispute of which Stripe says this now; forward only.

    An inquiry that was closed can still become a chargeback: the bank may open one later. Any
    other end stays.
    """
    if state is DisputeState.WARNING_CLOSED and said in (
        DisputeState.NEEDS_RESPONSE,
        DisputeState.UNDER_REVIEW,
        DisputeState.WON,
        DisputeState.LOST,
    ):
        return said
    return said if _RANK[said] > _RANK[state] else state


@dataclass(frozen=True, slots=True)
class BalanceLine:
    """One balance transaction of a dispute. Amounts in minor units, as Stripe signs them."""

    id: str
    amount_minor: int
    """Below zero: taken from us."""
    fee_minor: int
    """Above zero: kept by Stripe."""
    currency: str


@dataclass(frozen=True, slots=True)
class Moved:
    """What Stripe has moved for a dispute so far."""

    taken: BalanceLine | None = None
    given_back: BalanceLine | None = None
    fees: tuple[BalanceLine, ...] = ()
    """Of nothing but a fee, such as the one for countering a dispute."""


def read_balance(lines: Sequence[BalanceLine], *, amount_minor: int, currency: str) -> Moved:
    """Tell what each balance transaction of a dispute is.

    Args:
        amount_minor: of the dispute, above zero.
        currency: of the charge, in which the ledger keeps it.

    Raises:
        Conflict: `dispute_amounts_differ`; another amount than the dispute's was taken or given
            back, or in another currency. A person has to look at such a one.
    """
    taken: BalanceLine | None = None
    given_back: BalanceLine | None = None
    fees: list[BalanceLine] = []
    for line in lines:
        if line.amount_minor == 0:
            fees.append(line)
        elif line.amount_minor == -amount_minor and line.currency == currency and taken is None:
            taken = line
        elif line.amount_minor == amount_minor and line.currency == currency and not given_back:
            given_back = line
        else:
            raise Conflict(
                "Stripe moved another amount for this dispute than it is about.",
                code="dispute_amounts_differ",
                transaction=line.id,
                moved_minor=line.amount_minor,
                moved_currency=line.currency,
                amount_minor=amount_minor,
                currency=currency,
            )
    return Moved(taken, given_back, tuple(fees))


class Answer(StrEnum):
    """What is done about a dispute that needs one."""

    SUBMIT = "submit"
    """Send the evidence; it can be done once."""
    ACCEPT = "accept"
    """Let the fan have the money; final."""


class EvidencePolicy(StrEnum):
    """What happens where staff decide nothing."""

    SUBMIT = "submit"
    """The evidence is submitted by itself, shortly before it is due."""
    WAIT = "wait"
    """Nothing is submitted; what is not answered is lost."""


@dataclass(frozen=True, slots=True)
class AnswerPolicy:
    policy: EvidencePolicy = EvidencePolicy.SUBMIT
    margin: timedelta = timedelta(hours=24)
    """How long before it is due the evidence is submitted by itself."""

    def submits_at(self, due_by: datetime | None) -> datetime | None:
        """When evidence is submitted without a word from staff; None: never."""
        if due_by is None or self.policy is EvidencePolicy.WAIT:
            return None
        return due_by - self.margin

    def due_answer(
        self,
        *,
        state: DisputeState,
        decided: Answer | None,
        due_by: datetime | None,
        now: datetime,
    ) -> Answer | None:
        """What is to be done now, if anything.

        Inquiries are answered by themselves too: an answer is what keeps one from becoming a
        chargeback.
        """
        if not state.needs_answer:
            return None
        if decided is not None:
            return decided
        submits_at = self.submits_at(due_by)
        return Answer.SUBMIT if submits_at is not None and now >= submits_at else None


def check_may_decide(state: DisputeState, decided: Answer | None, wanted: Answer) -> None:
    """May staff decide that now? The same decision again is none.

    Raises:
        Conflict: `dispute_answered`; evidence is there or the dispute is over. Or
            `dispute_decided`, otherwise. Or `inquiry_not_accepted`: an inquiry is given in to
            by a refund.
    """
    if decided is wanted:
        return
    if not state.needs_answer:
        raise Conflict(
            "This dispute does not wait for an answer.", code="dispute_answered", state=state.value
        )
    if wanted is Answer.ACCEPT and state.is_inquiry:
        raise Conflict(
            "This is an inquiry only. To give in to it, refund the payment.",
            code="inquiry_not_accepted",
        )
    if decided is not None:
        raise Conflict(
            "This was decided otherwise a moment ago.", code="dispute_decided", decided=decided
        )
