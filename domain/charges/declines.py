"""What a bank's refusal means: whether to try again, and what to tell the fan.

Codes: https://docs.stripe.com/declines/codes (reasons of banks) and
https://docs.stripe.com/error-codes (`expired_card`, `incorrect_cvc` …).

A reason is *hard* where the same card does not become good by waiting: asking again annoys the
bank, and card networks charge for repeated tries after some of these. `expired_card` is hard,
since a bank that renews a card has its kept payment methods go on by themselves, and then does
not answer so. `do_not_honor` and `generic_decline` say nothing, and often pass later: soft. A
reason that is not listed is soft as well: dunning ends by itself, and a good card that was
given up does not come back.

*needs_fan* is what the card's holder settles while they are there: their bank wants to hear
from them (3-D Secure), or what they typed is wrong.

Three reasons are ours, of a payment that was begun and not sent to the bank any more:
`card_removed`, `account_closed` (the fan's is suspended or deleted) and `creator_closed`.

Of `fraudulent`, `lost_card`, `stolen_card` and their like the fan is told no more than that the
bank declined the card: whoever holds a stolen one should not learn that it is known to be.
"""

from __future__ import annotations

from domain.charges.states import DeclineKind

_DECLINED = "The bank declined this payment. Try again later, or use another card."
_OTHER_CARD = "The bank declined this card. Use another card, or ask the bank."
_CONFIRM = "The bank wants you to confirm this payment."
_FUNDS = "There is not enough money on this card. Try again later, or use another card."
_LIMIT = "This card has reached its limit. Try again later, or use another card."
_AGAIN = "The bank could not be reached. Try again in a while."
_UNFIT = "This card can't be used for this payment. Use another card."
_EXPIRED = "This card has expired. Use another card."
_REMOVED = "This card was removed before it was charged. Nothing was taken."
_CLOSED = "This account was suspended or deleted before its card was charged. Nothing was taken."
_CREATOR_CLOSED = "This creator can't be paid any more. Nothing was taken."
_MISTYPED = "The details of the card are not right. Enter them again."

_TABLE: dict[DeclineKind, dict[str, str]] = {
    DeclineKind.SOFT: {
        _DECLINED: "approve_with_id call_issuer card_declined do_not_honor generic_decline "
        "no_action_taken not_permitted service_not_allowed security_violation "
        "duplicate_transaction invalid_amount",
        _FUNDS: "insufficient_funds",
        _LIMIT: "card_velocity_exceeded withdrawal_count_limit_exceeded "
        "card_decline_rate_limit_exceeded",
        _AGAIN: "issuer_not_available processing_error reenter_transaction try_again_later",
    },
    DeclineKind.HARD: {
        _OTHER_CARD: "fraudulent lost_card merchant_blacklist pickup_card restricted_card "
        "stolen_card do_not_try_again highest_risk_level elevated_risk_level",
        _UNFIT: "card_not_supported currency_not_supported invalid_account "
        "new_account_information_available revocation_of_all_authorizations "
        "revocation_of_authorization "
        "stop_payment_order testmode_decline transaction_not_allowed live_mode_test_card "
        "payment_method_not_available",
        _EXPIRED: "expired_card",
        _REMOVED: "card_removed",
        _CLOSED: "account_closed",
        _CREATOR_CLOSED: "creator_closed",
    },
    DeclineKind.NEEDS_FAN: {
        _CONFIRM: "authentication_required authentication_not_handled "
        "payment_intent_authentication_failure setup_intent_authentication_failure "
        "mobile_device_authentication_required",
        _MISTYPED: "incorrect_address incorrect_cvc incorrect_number incorrect_zip invalid_cvc "
        "invalid_expiry_month invalid_expiry_year invalid_number incorrect_pin invalid_pin "
        "offline_pin_required online_or_offline_pin_required pin_try_exceeded",
    },
}
_KINDS: dict[str, DeclineKind] = {
    code: kind
    for kind, sentences in _TABLE.items()
    for codes in sentences.values()
    for code in codes.split()
}
_SENTENCES: dict[str, str] = {
    code: sentence
    for sentences in _TABLE.values()
    for sentence, codes in sentences.items()
    for code in codes.split()
}


def decline_kind_of(code: str, decline_code: str | None = None) -> DeclineKind:
    """Whether to ask the same card again.

    Args:
        code: of Stripe's error.
        decline_code: the bank's reason, where there is one; it counts for more.
    """
    return _KINDS.get(decline_code or code) or _KINDS.get(code) or DeclineKind.SOFT


def sentence_for(code: str, decline_code: str | None = None) -> str:
    """What the fan is told: one or two sentences, which give away nothing about a stolen card."""
    return _SENTENCES.get(decline_code or code) or _SENTENCES.get(code) or _DECLINED
