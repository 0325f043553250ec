"""A payout's way out and back, at Stripe and in the ledger, whatever is lost on the way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select
from temporalio.exceptions import ApplicationError

from devstack.stripe.faults import FaultKind
from domain.ledger.accounts import AccountKind
from domain.payouts.states import PROVISIONAL, PayoutState
from infra.db import transaction
from infra.models import Mail
from infra.settings import Settings
from tests.harness.earnings import Earner
from tests.integration.payouts.paying import (
    DAY,
    PAYOUTS,
    REVERSALS,
    TRANSFERS,
    Till,
    till_of,
)

S = PayoutState


@pytest.fixture
def till(settings: Settings, earner: Earner) -> Till:
    """Of a creator who has 120 dollars available, on a platform that has them at Stripe."""
    made = till_of(settings, earner)
    made.open_account()
    made.fund_platform(100_000)
    earner.earn(4_000)
    earner.earn(8_000)
    return made


def mails(till: Till) -> list[str]:
    with transaction(till.earner.engine) as session:
        return list(session.scalars(select(Mail.kind).order_by(Mail.created_at)))


def failure_of(attempt: Callable[[], object]) -> str:
    with pytest.raises(ApplicationError) as failed:
        attempt()
    return str(failed.value.details[0])


def test_a_payout_is_settled_when_it_has_been_paid_for_seven_days(till: Till) -> None:
    payout_id = till.paid()
    assert till.earner.balances() == {"payout_in_flight": 12_000}
    assert till.earner.platform(AccountKind.PAYOUT_CLEARING) == -12_000
    till.pass_time(PROVISIONAL - DAY)
    look = till.step("look", payout_id)
    assert (look.state, look.settles_at is not None) == (S.PAID, True)
    till.pass_time(DAY)
    assert till.step("look", payout_id).state is S.SETTLED
    assert till.earner.balances() == {}
    assert till.earner.platform(AccountKind.PAYOUT_CLEARING) == 0
    assert till.made() == (1, 1, 0)
    assert till.at_stripe() == (88_000, 0)
    assert mails(till) == ["payout_paid"]
    assert [lot.paid_out_minor for lot in till.earner.lots()] == [4_000, 8_000]


def test_every_step_may_run_twice(till: Till) -> None:
    payout_id = till.ask()
    for name in ("open", "open", "send", "send", "look", "look"):
        till.step(name, payout_id)
    till.pass_time(3 * DAY)
    for _ in range(2):
        till.step("look", payout_id)
    till.pass_time(PROVISIONAL)
    for _ in range(2):
        assert till.step("look", payout_id).state is S.SETTLED
    assert till.made() == (1, 1, 0)
    assert till.earner.balances() == {}


@pytest.mark.parametrize("path", [TRANSFERS, PAYOUTS])
@pytest.mark.parametrize("kind", ["lost_before", "lost_after", "failed_after", "refused_before"])
def test_whatever_is_lost_while_it_is_sent_it_is_sent_once(
    till: Till, kind: FaultKind, path: str
) -> None:
    payout_id = till.ask()
    till.step("open", payout_id)
    till.break_next(kind, path)
    failure_of(lambda: till.step("send", payout_id))
    for _ in range(2):
        assert till.step("send", payout_id).state is S.IN_TRANSIT
    assert till.made() == (1, 1, 0)
    assert till.earner.balances() == {"payout_in_flight": 12_000}


def test_a_payout_that_fails_on_its_way_is_returned_to_its_lots(till: Till) -> None:
    before = [(lot.id, lot.available_at, lot.remaining_minor) for lot in till.earner.lots()]
    payout_id = till.sent()
    till.fail(payout_id)
    look = till.step("look", payout_id)
    assert (look.state, look.reason) == (S.RETURNING, "account_closed")
    assert till.earner.balances() == {"payout_in_flight": 12_000}
    assert till.step("return", payout_id).state is S.RETURNED
    after = [(lot.id, lot.available_at, lot.remaining_minor) for lot in till.earner.lots()]
    assert after == before
    assert till.earner.balances() == {"available": 12_000}
    assert till.at_stripe() == (100_000, 0)
    assert mails(till) == ["payout_failed"]


def test_a_payout_comes_back_though_another_has_been_asked_for(till: Till) -> None:
    payout_id = till.paid()
    till.earner.earn(4_000)
    till.earner.in_review()
    till.fail(payout_id)
    assert till.step("look", payout_id).state is S.RETURNING
    assert till.step("return", payout_id).state is S.RETURNED
    assert till.earner.balances() == {"available": 12_000, "payout_in_flight": 4_000}


def test_a_bank_may_send_it_back_after_stripe_has_said_paid(till: Till) -> None:
    payout_id = till.paid()
    till.pass_time(4 * DAY)
    till.fail(payout_id)
    assert till.step("look", payout_id).state is S.RETURNING
    for _ in range(2):
        assert till.step("return", payout_id).state is S.RETURNED
    assert till.made() == (1, 1, 1)
    assert till.earner.balances() == {"available": 12_000}
    assert mails(till) == ["payout_paid", "payout_failed"]


@pytest.mark.parametrize("kind", ["lost_before", "lost_after", "failed_after", "refused_before"])
def test_whatever_is_lost_while_it_comes_back_it_comes_back_once(
    till: Till, kind: FaultKind
) -> None:
    payout_id = till.sent()
    till.fail(payout_id)
    till.step("look", payout_id)
    till.break_next(kind, REVERSALS)
    failure_of(lambda: till.step("return", payout_id))
    assert till.earner.balances() == {"payout_in_flight": 12_000}
    assert till.step("return", payout_id).state is S.RETURNED
    assert till.made() == (1, 1, 1)
    assert till.at_stripe() == (100_000, 0)


def test_nobody_is_credited_while_stripe_keeps_the_transfer(till: Till) -> None:
    payout_id = till.sent()
    till.fail(payout_id)
    till.step("look", payout_id)
    till.book(-5_000)
    for _ in range(2):
        blocked = failure_of(lambda: till.step("return", payout_id))
        assert blocked == "payout_reversal_refused"
    assert till.row(payout_id).state == "needs_ops"
    assert till.earner.balances() == {"payout_in_flight": 12_000}
    till.book(5_000)
    assert till.step("return", payout_id).state is S.RETURNED
    assert till.earner.balances() == {"available": 12_000}


def test_a_payout_that_stripe_refuses_is_returned(till: Till) -> None:
    payout_id = till.ask()
    till.step("open", payout_id)
    till.break_next("lost_before", PAYOUTS)
    failure_of(lambda: till.step("send", payout_id))
    till.disable()
    look = till.step("send", payout_id)
    assert (look.state, look.reason) == (S.RETURNING, "payout_refused")
    assert till.step("return", payout_id).state is S.RETURNED
    assert till.earner.balances() == {"available": 12_000}


def test_an_account_that_takes_nothing_any_more_releases_the_payout(till: Till) -> None:
    payout_id = till.ask()
    till.step("open", payout_id)
    till.disable()
    look = till.step("send", payout_id)
    assert (look.state, look.reason) == (S.RELEASED, "transfer_refused")
    assert till.made() == (0, 0, 0)
    assert till.earner.balances() == {"available": 12_000}


def test_money_that_is_not_there_at_stripe_is_not_sent(till: Till) -> None:
    first = till.ask()
    till.earner.earn(400_000)
    look = till.step("open", first)
    assert (look.state, look.reason) == (S.RELEASED, "platform_balance_short")
    assert till.earner.balances() == {"available": 412_000}


def test_a_debt_that_comes_up_before_it_is_sent_releases_it(till: Till) -> None:
    charge = till.earner.lots()[0].id
    payout_id = till.ask()
    till.step("open", payout_id)
    till.earner.refund(charge, 5_000)
    look = till.step("send", payout_id)
    assert (look.state, look.reason) == (S.RELEASED, "creator_in_debt")
    assert till.made() == (0, 0, 0)
    assert till.earner.balances() == {"available": 8_000}


def test_an_account_is_read_anew_before_money_is_set_aside(till: Till) -> None:
    payout_id = till.ask()
    till.disable()
    look = till.step("open", payout_id)
    assert (look.state, look.reason) == (S.RELEASED, "payout_account_disabled")


def test_who_had_completed_their_account_is_told_once_that_it_lacks_something(
    till: Till,
) -> None:
    assert till.refresh() == "ready"
    till.disable()
    till.pass_time(DAY)
    for _ in range(2):
        assert till.refresh() == "waiting"
    assert mails(till) == ["payout_account"]
