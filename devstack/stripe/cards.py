"""Stripe's test cards and test payment methods, and what each of them does.

See "Test card numbers" in Stripe's documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Authentication = Literal["never", "always", "unless_set_up", "on_session"]


@dataclass(frozen=True)
class Card:
    """One number. All of Stripe's other test values work as a Visa of the United States does."""

    number: str
    brand: str = "visa"
    country: str = "US"
    funding: str = "credit"
    code: str | None = None
    """The error code of a decline; `decline_code` says more where it is `card_declined`."""
    decline_code: str | None = None
    attaches: bool = True
    """False: the issuer declines already when the card is saved to a customer."""
    blocked: bool = False
    """True: Radar blocks it, and the issuer is not asked."""
    authentication: Authentication = "never"
    """`unless_set_up`: a SetupIntent, or a payment that sets it up, spares off-session payments
    the 3-D Secure; `on_session`: off-session payments never need it."""
    dispute: str | None = None
    """The reason of the dispute that follows a charge."""
    inquiry: bool = False
    fraud_warning: bool = False
    refund: Literal["pending", "fails"] | None = None
    available_at_once: bool = False

    @property
    def last4(self) -> str:
        return self.number[-4:]


def _declined(number: str, decline_code: str, code: str = "card_declined") -> Card:
    return Card(number, code=code, decline_code=decline_code, attaches=False)


_CARDS: dict[str, Card] = {
    "visa": Card("4242424242424242"),
    "visa_debit": Card("4000056655665556", funding="debit"),
    "mastercard": Card("5555555555554444", "mastercard"),
    "mastercard_debit": Card("5200828282828210", "mastercard", funding="debit"),
    "mastercard_prepaid": Card("5105105105105100", "mastercard", funding="prepaid"),
    "amex": Card("378282246310005", "amex"),
    "discover": Card("6011111111111117", "discover"),
    "diners": Card("3056930009020004", "diners"),
    "jcb": Card("3566002020360505", "jcb", country="JP"),
    "unionpay": Card("6200000000000005", "unionpay", country="CN"),
    "us": Card("4242424242424242"),
    "gb": Card("4000008260000000", country="GB"),
    "de": Card("4000002760000016", country="DE"),
    "fr": Card("4000002500000003", country="FR"),
    "ca": Card("4000001240000000", country="CA"),
    "au": Card("4000000360000006", country="AU"),
    "jp": Card("4000003920000003", country="JP"),
    "bypassPending": Card("4000000000000077", available_at_once=True),
    "chargeDeclined": _declined("4000000000000002", "generic_decline"),
    "chargeDeclinedInsufficientFunds": _declined("4000000000009995", "insufficient_funds"),
    "chargeDeclinedLostCard": _declined("4000000000009987", "lost_card"),
    "chargeDeclinedStolenCard": _declined("4000000000009979", "stolen_card"),
    "chargeDeclinedVelocityLimitExceeded": _declined("4000000000006975", "card_velocity_exceeded"),
    "chargeDeclinedExpiredCard": _declined("4000000000000069", "expired_card", "expired_card"),
    "chargeDeclinedIncorrectCvc": _declined("4000000000000127", "incorrect_cvc", "incorrect_cvc"),
    "chargeDeclinedProcessingError": _declined(
        "4000000000000119", "processing_error", "processing_error"
    ),
    "chargeDeclinedFraudulent": Card(
        "4100000000000019", code="card_declined", decline_code="fraudulent", blocked=True
    ),
    "chargeCustomerFail": Card(
        "4000000000000341", code="card_declined", decline_code="generic_decline"
    ),
    "authenticationRequiredOnSetup": Card("4000002500003155", authentication="unless_set_up"),
    "authenticationRequired": Card("4000002760003184", authentication="always"),
    "authenticationRequiredSetupForOffSession": Card(
        "4000003800000446", authentication="on_session"
    ),
    "authenticationRequiredChargeDeclinedInsufficientFunds": Card(
        "4000008260003178",
        authentication="on_session",
        code="card_declined",
        decline_code="insufficient_funds",
    ),
    "threeDSecure2Required": Card("4000000000003220", authentication="always"),
    "createDispute": Card("4000000000000259", dispute="fraudulent"),
    "createDisputeProductNotReceived": Card("4000000000002685", dispute="product_not_received"),
    "createDisputeInquiry": Card("4000000000001976", dispute="general", inquiry=True),
    "createIssuerFraudRecord": Card("4000000000005423", fraud_warning=True),
    "pendingRefund": Card("4000000000007726", refund="pending"),
    "refundFail": Card("4000000000005126", refund="fails"),
}
_BY_NUMBER = {card.number: card for card in _CARDS.values()}

_ALIASES = {
    f"visa_{name}": name for name in _CARDS if name.startswith("charge") or name == "refundFail"
} | {"radarBlock": "chargeDeclinedFraudulent"}

MESSAGES = {
    "card_declined": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": (
        "An error occurred while processing your card. Try again in a little bit."
    ),
    "card_velocity_exceeded": (
        "Your card was declined for making repeated attempts too frequently or exceeding its"
        " amount limit."
    ),
    "authentication_required": (
        "Your card was declined. This transaction requires authentication."
    ),
}


def named(value: str) -> Card | None:
    """The card behind `pm_card_…` or `tok_…`, None for another value."""
    for prefix in ("pm_card_", "tok_"):
        if value.startswith(prefix):
            name = value.removeprefix(prefix)
            return _CARDS.get(_ALIASES.get(name, name))
    return None


def numbered(number: str) -> Card:
    """The card with this number; one that Stripe does not document does nothing unusual."""
    return _BY_NUMBER.get(number, Card(number))


def passes_luhn(number: str) -> bool:
    """Whether the check digit fits (ISO/IEC 7812-1)."""
    if not number.isdigit() or not 12 <= len(number) <= 19:
        return False
    digits = [int(digit) for digit in reversed(number)]
    doubled = [divmod(2 * digit, 10) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(tens + ones for tens, ones in doubled)) % 10 == 0


def message(code: str, decline_code: str | None) -> str:
    """What Stripe tells the buyer."""
    return MESSAGES.get(decline_code or code) or MESSAGES.get(code) or MESSAGES["card_declined"]
