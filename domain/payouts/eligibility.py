"""Who may be paid out now, and how much; or why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import Fact
from domain.payouts.amounts import has_minimum, minimum_minor, payable_minor


class Refusal(StrEnum):
    """Why there is no payout; the first that holds, in this order."""

    SUSPENDED = "account_suspended"
    BLOCKED = "payouts_blocked"
    """Staff hold this creator's payouts."""
    NO_ACCOUNT = "payout_account_missing"
    NOT_ONBOARDED = "payout_account_incomplete"
    """Stripe has not been told yet who they are."""
    PAYOUTS_DISABLED = "payout_account_disabled"
    """Stripe pays nothing out to this account for now."""
    OTHER_CURRENCY = "payout_currency_differs"
    """Their bank account takes another currency."""
    CURRENCY_UNKNOWN = "payout_currency_unknown"
    IN_DEBT = "creator_in_debt"
    DISPUTED = "earnings_disputed"
    """A part of what they earned is held while a dispute is open."""
    REFUNDING = "refund_in_progress"
    """A refund of theirs is asked for and not posted yet: what it takes is still available."""
    BUSY = "payout_in_progress"
    NOTHING_AVAILABLE = "nothing_available"
    BELOW_MINIMUM = "below_payout_minimum"
    PLATFORM_SHORT = "platform_balance_short"
    """Stripe has not made enough of the platform's money available yet."""


SENTENCES: Mapping[Refusal, str] = {
    Refusal.SUSPENDED: "The account is suspended.",
    Refusal.BLOCKED: "Payouts of this account are held by our staff.",
    Refusal.NO_ACCOUNT: "There is no payout account yet.",
    Refusal.NOT_ONBOARDED: "The payout account is not complete yet.",
    Refusal.PAYOUTS_DISABLED: "Payouts to this account are not possible for now.",
    Refusal.OTHER_CURRENCY: "The payout account takes another currency.",
    Refusal.CURRENCY_UNKNOWN: "Nothing is paid out in this currency.",
    Refusal.IN_DEBT: "Something is owed to the platform; future earnings pay it first.",
    Refusal.DISPUTED: "A part of the earnings is held until a dispute is decided.",
    Refusal.REFUNDING: "A refund is under way; ask again once it has gone through.",
    Refusal.BUSY: "Another payout in this currency is being prepared.",
    Refusal.NOTHING_AVAILABLE: "Nothing is available for a payout.",
    Refusal.BELOW_MINIMUM: "Less is available than the least payout in this currency.",
    Refusal.PLATFORM_SHORT: "The payment processor has not released enough money yet.",
}


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """A creator's account at Stripe, as far as payouts go."""

    details_submitted: bool
    payouts_enabled: bool
    """And may be given money to pay out."""
    default_currency: str | None
    requirements_due: int = 0
    """How many things Stripe still asks for."""
    disabled_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """All that counts for a payout in one currency. Amounts in its minor units."""

    currency: str
    available_minor: int
    owed_minor: int
    """Debt, as a positive amount."""
    account: AccountFacts | None
    held_minor: int = 0
    """Held for open disputes."""
    is_suspended: bool = False
    is_blocked: bool = False
    is_refunding: bool = False
    is_busy: bool = False
    platform_minor: int | None = None
    """What Stripe has available for transfers; None where it was not asked."""


@dataclass(frozen=True, slots=True)
class Eligible:
    amount_minor: int
    remainder_minor: int
    """Stays available, because the currency is not paid out in smaller pieces."""


@dataclass(frozen=True, slots=True)
class Refused:
    reason: Refusal
    facts: Mapping[str, Fact]

    @property
    def sentence(self) -> str:
        return SENTENCES[self.reason]


def decide_payout(standing: Standing) -> Eligible | Refused:
    """How much is paid out now: all there is, in whole steps of the currency. Or the first
    reason, in the order of `Refusal`, why nothing is."""
    refusal = _of_person(standing) or _of_account(standing)
    if refusal is not None:
        return refusal
    if standing.owed_minor > 0:
        return Refused(Refusal.IN_DEBT, {"owed_minor": standing.owed_minor})
    if standing.held_minor > 0:
        return Refused(Refusal.DISPUTED, {"held_minor": standing.held_minor})
    if standing.is_refunding:
        return Refused(Refusal.REFUNDING, {"currency": standing.currency})
    if standing.is_busy:
        return Refused(Refusal.BUSY, {"currency": standing.currency})
    return _of_amount(standing)


def _of_person(standing: Standing) -> Refused | None:
    if standing.is_suspended:
        return Refused(Refusal.SUSPENDED, {})
    if standing.is_blocked:
        return Refused(Refusal.BLOCKED, {})
    return None


def _of_account(standing: Standing) -> Refused | None:
    account = standing.account
    if account is None:
        return Refused(Refusal.NO_ACCOUNT, {})
    if not account.details_submitted:
        return Refused(Refusal.NOT_ONBOARDED, {"requirements_due": account.requirements_due})
    if not account.payouts_enabled:
        return Refused(
            Refusal.PAYOUTS_DISABLED,
            {
                "disabled_reason": account.disabled_reason,
                "requirements_due": account.requirements_due,
            },
        )
    if account.default_currency != standing.currency:
        return Refused(
            Refusal.OTHER_CURRENCY,
            {"currency": standing.currency, "account_currency": account.default_currency},
        )
    if not has_minimum(standing.currency):
        return Refused(Refusal.CURRENCY_UNKNOWN, {"currency": standing.currency})
    return None


def _of_amount(standing: Standing) -> Eligible | Refused:
    currency, available = standing.currency, standing.available_minor
    if available <= 0:
        return Refused(Refusal.NOTHING_AVAILABLE, {"currency": currency})
    least = minimum_minor(currency)
    amount = payable_minor(available, currency)
    if amount < least:
        return Refused(
            Refusal.BELOW_MINIMUM,
            {"currency": currency, "amount_minor": amount, "minimum_minor": least},
        )
    if standing.platform_minor is not None and amount > standing.platform_minor:
        return Refused(
            Refusal.PLATFORM_SHORT,
            {
                "currency": currency,
                "amount_minor": amount,
                "platform_minor": standing.platform_minor,
            },
        )
    return Eligible(amount, available - amount)
