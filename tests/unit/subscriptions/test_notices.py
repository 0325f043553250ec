"""What fans are mailed of their subscriptions."""

from __future__ import annotations

import pytest

from domain.subscriptions.notices import WHY_ENDED, Notice, notice_text
from domain.subscriptions.states import EndReason

FACTS = {
    "creator": "mia",
    "amount": "9.99 USD",
    "access_until": "3 March 2027, 12:00 UTC",
    "price": "9.99 USD",
    "new_price": "12.99 USD",
    "from": "1 May 2027, 12:00 UTC",
    "ends_at": "28 February 2027, 12:00 UTC",
    "giver": "leo",
    "until": "28 May 2027, 12:00 UTC",
    "reason": EndReason.NOT_PAID.value,
}


@pytest.mark.parametrize("notice", Notice)
def test_every_notice_names_the_creator_and_leaves_no_gap(notice: Notice) -> None:
    subject, said = notice_text({"notice": notice.value, **FACTS})
    assert "mia" in subject
    assert "None" not in " ".join(said)


def test_a_decline_says_when_it_is_tried_again_or_that_it_is_not() -> None:
    facts = {"notice": Notice.PAYMENT_FAILED.value, **FACTS}
    again = " ".join(notice_text({**facts, "retry_at": "2 March 2027, 12:00 UTC"})[1])
    assert "We will try again on 2 March 2027" in again
    assert "We will not try this card again" in " ".join(notice_text(facts)[1])


def test_every_end_is_explained() -> None:
    assert set(WHY_ENDED) == set(EndReason)
