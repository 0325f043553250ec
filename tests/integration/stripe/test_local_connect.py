"""Creators' accounts, transfers, payouts and tax through the local Stripe."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from pydantic import SecretStr

from devstack.stripe import Config, Endpoint, Fault, LocalStripe, accounts
from devstack.stripe.faults import FaultKind
from devstack.stripe.inprocess import client_of
from domain.errors import StepBlocked, Unavailable
from domain.stripe_events import POLLED, POLLED_OF_ACCOUNTS
from infra.ids import new_id
from infra.stripe import StripeGateway
from infra.stripe.objects import Event, Payout, TaxLine, Transfer
from infra.stripe.webhooks import verified_event
from tests.integration.stripe.canned import NOW

DAY = timedelta(days=1)
PLATFORM, CONNECT = SecretStr("whsec_platform"), SecretStr("whsec_connect")


@pytest.fixture
def local() -> LocalStripe:
    endpoints = (
        Endpoint("http://x.example/webhooks/stripe", "whsec_platform"),
        Endpoint("http://x.example/webhooks/stripe/connect", "whsec_connect", connect=True),
    )
    return LocalStripe(now=int(NOW.timestamp()), seed=new_id(), config=Config(endpoints=endpoints))


@pytest.fixture
def creator(gateway: StripeGateway, local: LocalStripe) -> str:
    """A verified account; the platform's balance is funded."""
    creator_id = new_id()
    account = gateway.create_account(
        country="US", key=f"connect:{creator_id}:create:1", op_id=creator_id, at=NOW
    )
    assert not account.payouts_enabled and "external_account" in account.requirements_due
    accounts.onboard(local.scope(), account.id)
    client_of(local).v1.topups.create({"amount": 10_000, "currency": "usd"})
    return account.id


def transfer(
    gateway: StripeGateway,
    account_id: str,
    *,
    op_id: str,
    at: datetime = NOW,
    amount: int = 4000,
    generation: int = 1,
) -> Transfer:
    return gateway.create_transfer(
        account_id=account_id,
        amount_minor=amount,
        currency="USD",
        key=f"payout:{op_id}:transfer:{generation}",
        op_id=op_id,
        at=at,
    )


def pay_out(gateway: StripeGateway, account_id: str, *, op_id: str, at: datetime = NOW) -> Payout:
    return gateway.create_payout(
        account_id=account_id,
        amount_minor=4000,
        currency="USD",
        key=f"payout:{op_id}:submit:1",
        op_id=op_id,
        at=at,
    )


def test_an_account_that_is_verified_may_be_paid(gateway: StripeGateway, creator: str) -> None:
    account = gateway.retrieve_account(creator)
    assert account.payouts_enabled and account.transfers_active and account.details_submitted
    assert (account.requirements_due, account.disabled_reason) == ((), None)
    assert account.metadata["op_kind"] == "connect"
    link = gateway.create_account_link(
        creator,
        refresh_url="https://a.example/again",
        return_url="https://a.example/back",
        key=f"link:{new_id()}",
        op_id=creator,
        at=NOW,
    )
    assert link.url.startswith("http") and link.expires_at > NOW


def test_money_goes_to_the_bank_and_its_way_is_found(
    gateway: StripeGateway, local: LocalStripe, creator: str
) -> None:
    op_id = new_id()
    sent = transfer(gateway, creator, op_id=op_id)
    found = gateway.find_transfer(op_id=op_id)
    assert found is not None and found.id == sent.id
    assert gateway.balance(account=creator).available_minor == {"USD": 4000}
    payout = pay_out(gateway, creator, op_id=op_id)
    assert payout.status == "pending" and payout.arrival_at > NOW
    again = gateway.find_payout(account_id=creator, op_id=op_id, since=NOW)
    assert again is not None and again.id == payout.id
    local.advance(7 * 86_400)
    assert gateway.retrieve_payout(payout.id, account_id=creator).status == "paid"
    assert gateway.balance(account=creator).total_minor("USD") == 0


def test_a_transfer_is_taken_back(gateway: StripeGateway, creator: str) -> None:
    op_id = new_id()
    sent = transfer(gateway, creator, op_id=op_id)
    back = gateway.reverse_transfer(
        sent.id, amount_minor=4000, key=f"payout:{op_id}:reverse:1", op_id=op_id, at=NOW
    )
    found = gateway.find_reversal(transfer_id=sent.id, op_id=op_id)
    assert found is not None and found.id == back.id
    assert gateway.retrieve_transfer(sent.id).reversed_minor == 4000
    booked = gateway.balance_transactions(since=NOW - DAY, until=NOW + DAY)
    sources = {each.source: each.net_minor for each in booked}
    assert (sources[sent.id], sources[back.id]) == (-4000, 4000)


def test_what_is_not_there_is_not_sent(gateway: StripeGateway, creator: str) -> None:
    for order in (
        lambda: transfer(gateway, creator, op_id=new_id(), amount=10_001),
        lambda: pay_out(gateway, creator, op_id=new_id()),
    ):
        with pytest.raises(StepBlocked) as raised:
            order()
        assert raised.value.facts["reason"] == "balance_insufficient"


Send = Callable[..., Transfer | Payout]


@pytest.mark.parametrize("later", [timedelta(minutes=1), timedelta(hours=23), 10 * DAY])
@pytest.mark.parametrize("kind", ["failed_after", "lost_before", "lost_after"])
@pytest.mark.parametrize(("path", "send"), [("/v1/transfers", transfer), ("/v1/payouts", pay_out)])
def test_whatever_is_lost_money_is_sent_once(
    local: LocalStripe,
    gateway: StripeGateway,
    creator: str,
    path: str,
    send: Send,
    kind: FaultKind,
    later: timedelta,
) -> None:
    op_id = new_id()
    transfer(gateway, creator, op_id=new_id())
    local.faults.add(Fault(kind, "POST", path))
    with pytest.raises(Unavailable):
        send(gateway, creator, op_id=op_id)
    local.advance(int(later.total_seconds()))
    send(gateway, creator, op_id=op_id, at=NOW + later)
    client = client_of(local)
    transfers = client.v1.transfers.list({"transfer_group": op_id}).data
    payouts = client.v1.payouts.list({}, {"stripe_account": creator}).data
    assert len(transfers) + len(payouts) == 1


def test_a_second_transfer_of_one_payout_is_told_from_the_first(
    local: LocalStripe, gateway: StripeGateway, creator: str
) -> None:
    """The first went out and came back; what the second is looked for by is its own key."""
    op_id = new_id()
    first = transfer(gateway, creator, op_id=op_id)
    local.faults.add(Fault("lost_before", "POST", "/v1/transfers"))
    with pytest.raises(Unavailable):
        transfer(gateway, creator, op_id=op_id, generation=2)
    second = transfer(gateway, creator, op_id=op_id, generation=2, at=NOW + DAY)
    assert second.id != first.id


def test_every_event_that_is_delivered_is_believed_and_read(
    gateway: StripeGateway, local: LocalStripe, creator: str
) -> None:
    op_id = new_id()
    transfer(gateway, creator, op_id=op_id)
    pay_out(gateway, creator, op_id=op_id)
    local.advance(7 * 86_400)
    seen: dict[bool, list[Event]] = {False: [], True: []}
    for delivery in local.due_deliveries():
        is_connect = bool(delivery.account)
        event = verified_event(
            delivery.body,
            delivery.headers["Stripe-Signature"],
            secrets=[CONNECT if is_connect else PLATFORM],
            at=NOW + 7 * DAY,
        )
        assert (event.account or "") == delivery.account
        seen[is_connect].append(event)
    own = {event.type: event for event in seen[False]}
    of_accounts = {event.type: event for event in seen[True]}
    assert own["transfer.created"].op_id == of_accounts["payout.paid"].op_id == op_id
    assert of_accounts["account.updated"].op_kind == "connect"
    for account, types in ((None, POLLED), (creator, POLLED_OF_ACCOUNTS)):
        polled = {event.id for event in gateway.events_since(NOW, account=account, types=types)}
        assert polled <= {event.id for events in seen.values() for event in events}
        assert polled


def test_tax_is_told_reported_and_taken_back(gateway: StripeGateway) -> None:
    told = gateway.calculate_tax(
        currency="EUR",
        lines=[TaxLine("sale", 1190, "txcd_10000000")],
        country="DE",
        postal_code="10115",
        key=f"tax:{new_id()}",
        op_id="c1",
        at=NOW,
    )
    assert told.id is not None
    assert (told.amount_total_minor, told.tax_minor, told.currency) == (1190, 190, "EUR")
    reported = gateway.record_tax_transaction(
        calculation_id=told.id, reference="c1", key=f"tax:{new_id()}", op_id="c1", at=NOW
    )
    back = gateway.reverse_tax_transaction(
        reported.id, reference="r1", key=f"tax:{new_id()}", op_id="r1", at=NOW, amount_minor=595
    )
    assert (reported.reference, reported.is_reversal, back.is_reversal) == ("c1", False, True)
