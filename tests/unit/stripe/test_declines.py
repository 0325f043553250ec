from __future__ import annotations

import pytest

from domain.charges.declines import decline_kind_of, sentence_for
from domain.charges.states import DeclineKind

SOFT, HARD, NEEDS_FAN = DeclineKind.SOFT, DeclineKind.HARD, DeclineKind.NEEDS_FAN


@pytest.mark.parametrize(
    ("code", "decline_code", "kind"),
    [
        ("card_declined", "insufficient_funds", SOFT),
        ("card_declined", "do_not_honor", SOFT),
        ("card_declined", "generic_decline", SOFT),
        ("card_declined", "try_again_later", SOFT),
        ("card_declined", "lost_card", HARD),
        ("card_declined", "stolen_card", HARD),
        ("card_declined", "pickup_card", HARD),
        ("card_declined", "fraudulent", HARD),
        ("card_declined", "invalid_account", HARD),
        ("card_declined", "do_not_try_again", HARD),
        ("card_declined", "revocation_of_authorization", HARD),
        ("card_declined", "card_not_supported", HARD),
        ("expired_card", None, HARD),
        ("card_removed", None, HARD),
        ("account_closed", None, HARD),
        ("creator_closed", None, HARD),
        ("expired_card", "expired_card", HARD),
        ("authentication_required", "authentication_required", NEEDS_FAN),
        ("card_declined", "authentication_required", NEEDS_FAN),
        ("payment_intent_authentication_failure", None, NEEDS_FAN),
        ("incorrect_cvc", "incorrect_cvc", NEEDS_FAN),
        ("processing_error", "processing_error", SOFT),
        # The bank's reason counts for more than the code, and the code for more than nothing.
        ("expired_card", "a_new_reason", HARD),
        ("card_declined", "a_new_reason", SOFT),
        ("a_new_code", None, SOFT),
    ],
)
def test_a_decline_says_whether_to_try_again(
    code: str, decline_code: str | None, kind: DeclineKind
) -> None:
    assert decline_kind_of(code, decline_code) is kind
    assert sentence_for(code, decline_code).endswith(".")


@pytest.mark.parametrize("reason", ["lost_card", "stolen_card", "pickup_card", "fraudulent"])
def test_nobody_learns_that_a_card_is_known_to_be_stolen(reason: str) -> None:
    told = sentence_for("card_declined", reason)
    assert told == sentence_for("card_declined", "restricted_card")
    assert not any(word in told.lower() for word in ("lost", "stolen", "fraud", "report"))
