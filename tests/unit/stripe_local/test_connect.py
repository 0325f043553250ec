"""Connected accounts, transfers to them, and payouts from them."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from devstack.stripe import Config, LocalStripe, accounts, payouts
from devstack.stripe.inprocess import client_of
from tests.unit.stripe_local.conftest import NOW
from tests.unit.stripe_local.paying import balance, event_types

DAY = 86_400
EXPRESS: Any = {
    "country": "US",
    "email": "creator@example.com",
    "controller": {
        "fees": {"payer": "application"},
        "losses": {"payments": "application"},
        "stripe_dashboard": {"type": "express"},
    },
    "capabilities": {"transfers": {"requested": True}},
    "settings": {"payouts": {"schedule": {"interval": "manual"}}},
}


def _creator(
    local: LocalStripe, client: stripe.StripeClient, bank: str = "000123456789", **more: Any
) -> str:
    params: Any = {**EXPRESS, **more}
    account = client.v1.accounts.create(params)
    accounts.onboard(local.scope(), account.id, bank=bank)
    return account.id


def _fund(client: stripe.StripeClient, amount: int = 10_000) -> None:
    client.v1.topups.create({"amount": amount, "currency": "usd"})


def _transfer(client: stripe.StripeClient, account: str, amount: int = 5000) -> stripe.Transfer:
    return client.v1.transfers.create(
        {"amount": amount, "currency": "usd", "destination": account, "transfer_group": "g"}
    )


def _pay_out(client: stripe.StripeClient, account: str, amount: int = 5000) -> stripe.Payout:
    return client.v1.payouts.create(
        {"amount": amount, "currency": "usd"}, {"stripe_account": account}
    )


def _payout(client: stripe.StripeClient, account: str, payout_id: str) -> stripe.Payout:
    return client.v1.payouts.retrieve(payout_id, {}, {"stripe_account": account})


def test_a_new_account_may_do_nothing_until_it_is_onboarded(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    account = client.v1.accounts.create(EXPRESS)
    assert (account.payouts_enabled, account.details_submitted) == (False, False)
    assert account.requirements is not None and account.requirements.currently_due
    assert "external_account" in account.requirements.currently_due
    assert account.requirements.disabled_reason == "requirements.past_due"
    _fund(client)
    with pytest.raises(stripe.InvalidRequestError) as raised:
        _transfer(client, account.id)
    assert raised.value.code == "insufficient_capabilities_for_transfer"

    accounts.onboard(local.scope(), account.id)
    ready = client.v1.accounts.retrieve(account.id)
    assert (ready.payouts_enabled, ready.charges_enabled, ready.details_submitted) == (
        True,
        True,
        True,
    )
    assert ready.requirements is not None and ready.requirements.currently_due == []
    assert ready.capabilities is not None and ready.capabilities.transfers == "active"
    assert ready.external_accounts is not None and len(ready.external_accounts.data) == 1
    assert event_types(client, account.id)[-3:] == [
        "account.external_account.created",
        "capability.updated",
        "account.updated",
    ]
    newest = client.v1.events.list({}, {"stripe_account": account.id}).data[0]
    assert newest.account == account.id


def test_an_account_may_wait_for_stripe_to_verify_it(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    account = client.v1.accounts.create(EXPRESS)
    accounts.onboard(local.scope(), account.id, verifying=True)
    waiting = client.v1.accounts.retrieve(account.id)
    assert (waiting.details_submitted, waiting.payouts_enabled) == (True, False)
    accounts.verified(local.scope(), account.id)
    assert client.v1.accounts.retrieve(account.id).payouts_enabled


def test_what_becomes_due_later_has_a_deadline(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    account = _creator(local, client)
    document = "individual.verification.document"
    accounts.ask(local.scope(), account, [document], within_seconds=DAY)
    asked = client.v1.accounts.retrieve(account)
    assert asked.requirements is not None and asked.requirements.currently_due == [document]
    assert asked.payouts_enabled
    local.advance(DAY)
    assert not client.v1.accounts.retrieve(account).payouts_enabled
    accounts.onboard(local.scope(), account)
    assert client.v1.accounts.retrieve(account).payouts_enabled


def test_stripe_may_stop_an_account(local: LocalStripe, client: stripe.StripeClient) -> None:
    account = _creator(local, client)
    accounts.disable(local.scope(), account, "under_review")
    stopped = client.v1.accounts.retrieve(account)
    assert not stopped.payouts_enabled and not stopped.charges_enabled
    assert stopped.requirements is not None
    assert stopped.requirements.disabled_reason == "under_review"
    with pytest.raises(stripe.InvalidRequestError) as raised:
        _pay_out(client, account)
    assert raised.value.code == "payouts_not_allowed"
    accounts.disable(local.scope(), account, None)
    assert client.v1.accounts.retrieve(account).payouts_enabled


def test_a_transfer_needs_available_money(local: LocalStripe, client: stripe.StripeClient) -> None:
    account = _creator(local, client)
    _fund(client, 4999)
    with pytest.raises(stripe.InvalidRequestError) as raised:
        _transfer(client, account)
    assert raised.value.code == "balance_insufficient"
    _fund(client, 1)
    transfer = _transfer(client, account)
    assert balance(client) == (0, 0)
    assert balance(client, account) == (5000, 0)
    assert [row.id for row in client.v1.transfers.list({"transfer_group": "g"}).data] == [
        transfer.id
    ]
    (row,) = client.v1.balance_transactions.list({"source": transfer.id}).data
    assert (row.type, row.net) == ("transfer", -5000)


def test_a_reversal_takes_back_no_more_than_was_sent(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    account = _creator(local, client)
    _fund(client)
    transfer = _transfer(client, account)
    part = client.v1.transfers.reversals.create(transfer.id, {"amount": 2000})
    (row,) = client.v1.balance_transactions.list({"source": part.id}).data
    assert (row.type, row.net) == ("transfer_refund", 2000)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unreversed"):
        client.v1.transfers.reversals.create(transfer.id, {"amount": 3001})
    client.v1.transfers.reversals.create(transfer.id)
    again = client.v1.transfers.retrieve(transfer.id)
    assert (again.reversed, again.amount_reversed, len(again.reversals.data)) == (True, 5000, 2)
    assert balance(client) == (10_000, 0)
    assert balance(client, account) == (0, 0)
    with pytest.raises(stripe.InvalidRequestError, match="fully reversed"):
        client.v1.transfers.reversals.create(transfer.id)


def test_what_was_paid_out_cannot_be_reversed(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    account = _creator(local, client)
    _fund(client)
    transfer = _transfer(client, account)
    _pay_out(client, account, 1)
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.transfers.reversals.create(transfer.id)
    assert raised.value.code == "balance_insufficient"


def test_a_payout_arrives_by_the_clock(local: LocalStripe, client: stripe.StripeClient) -> None:
    account = _creator(local, client)
    _fund(client)
    _transfer(client, account)
    with pytest.raises(stripe.InvalidRequestError) as raised:
        _pay_out(client, account, 5001)
    assert raised.value.code == "balance_insufficient"
    payout = _pay_out(client, account)
    assert (payout.status, balance(client, account)) == ("pending", (0, 0))
    local.advance(3_600)
    assert _payout(client, account, payout.id).status == "in_transit"
    local.advance(2 * DAY)
    assert _payout(client, account, payout.id).status == "paid"
    assert [kind for kind in event_types(client, account) if kind.startswith("payout.")] == [
        "payout.created",
        "payout.updated",
        "payout.paid",
    ]


@pytest.mark.parametrize(
    ("bank", "code"),
    [
        ("000111111116", "no_account"),
        ("000111111113", "account_closed"),
        ("000222222227", "insufficient_funds"),
        ("000333333335", "debit_not_authorized"),
        ("000444444440", "invalid_currency"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_a_bank_that_refuses_sends_the_money_back(bank: str, code: str, late: bool) -> None:
    local = LocalStripe(now=NOW, seed="bank", config=Config(payout_fails_late=late))
    client = client_of(local)
    account = _creator(local, client, bank)
    _fund(client)
    _transfer(client, account)
    payout = _pay_out(client, account)
    local.advance(2 * DAY)
    assert _payout(client, account, payout.id).status == ("paid" if late else "failed")
    local.advance(DAY)
    failed = _payout(client, account, payout.id)
    assert (failed.status, failed.failure_code) == ("failed", code)
    assert balance(client, account) == (5000, 0)
    rows = client.v1.balance_transactions.list({"source": payout.id}, {"stripe_account": account})
    assert [(row.type, row.net) for row in rows.data] == [
        ("payout_failure", 5000),
        ("payout", -5000),
    ]
    # The bank account must be replaced before anything goes out again.
    assert not client.v1.accounts.retrieve(account).payouts_enabled
    accounts.onboard(local.scope(), account, bank="000123456789")
    assert _pay_out(client, account).status == "pending"


def test_a_payout_may_be_canceled_while_it_is_pending(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    account = _creator(local, client)
    _fund(client)
    _transfer(client, account)
    payout = _pay_out(client, account)
    canceled = client.v1.payouts.cancel(payout.id, {}, {"stripe_account": account})
    assert (canceled.status, balance(client, account)) == ("canceled", (5000, 0))
    local.advance(5 * DAY)
    assert _payout(client, account, payout.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payouts.cancel(payout.id, {}, {"stripe_account": account})
    other = _pay_out(client, account)
    payouts.fail_payout(local.scope(account), other.id)
    assert balance(client, account) == (5000, 0)


def test_money_goes_out_by_itself_unless_the_schedule_is_manual(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    daily = _creator(local, client, settings={"payouts": {"schedule": {"interval": "daily"}}})
    manual = _creator(local, client)
    _fund(client)
    for account in (daily, manual):
        _transfer(client, account)
    local.advance(DAY)
    assert (balance(client, daily), balance(client, manual)) == ((0, 0), (5000, 0))
    (payout,) = client.v1.payouts.list({}, {"stripe_account": daily}).data
    assert payout.automatic


def test_each_account_has_its_own_objects(local: LocalStripe, client: stripe.StripeClient) -> None:
    one, two = _creator(local, client), _creator(local, client)
    _fund(client)
    _transfer(client, one)
    payout = _pay_out(client, one)
    with pytest.raises(stripe.InvalidRequestError, match="No such payout"):
        _payout(client, two, payout.id)
    assert client.v1.payouts.list().data == []


def test_links_open_stripes_pages(local: LocalStripe, client: stripe.StripeClient) -> None:
    account = client.v1.accounts.create(EXPRESS)
    link = client.v1.account_links.create(
        {
            "account": account.id,
            "type": "account_onboarding",
            "return_url": "https://api.example/return",
            "refresh_url": "https://api.example/refresh",
        }
    )
    assert (link.expires_at - link.created, "/_pages/onboarding/" in link.url) == (300, True)
    with pytest.raises(stripe.InvalidRequestError, match="not completed onboarding"):
        client.v1.accounts.login_links.create(account.id)
    accounts.onboard(local.scope(), account.id)
    assert account.id in client.v1.accounts.login_links.create(account.id).url


def test_the_default_bank_account_stays_while_there_are_others(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    account = _creator(local, client)
    (first,) = client.v1.accounts.external_accounts.list(account).data
    second = client.v1.accounts.external_accounts.create(
        account, {"external_account": "btok_us_accountClosed", "default_for_currency": True}
    )
    again = client.v1.accounts.external_accounts.retrieve(account, first.id)
    assert isinstance(again, stripe.BankAccount)
    assert not again.default_for_currency
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.accounts.external_accounts.delete(account, second.id)
    client.v1.accounts.external_accounts.delete(account, first.id)
    left = client.v1.accounts.retrieve(account).external_accounts
    assert left is not None and [bank.id for bank in left.data] == [second.id]
