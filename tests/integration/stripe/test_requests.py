"""What each method sends: the address, and parameters that fit the types of Stripe's package,
which are made from Stripe's own specification. Names that those don't know are refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import stripe.params as p
import stripe.params.tax as t

from devstack.stripe.checking import checked
from devstack.stripe.forms import decode
from domain.errors import OutcomeUnknown
from infra.ids import new_id
from infra.stripe import StripeGateway
from infra.stripe.calls import API_VERSION
from infra.stripe.objects import TaxLine
from tests.integration.stripe import canned as c
from tests.integration.stripe.canned import NOW, CannedStripe, Json, listed
from tests.integration.stripe.conftest import MakeGateway

Order = dict[str, Any]
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Sent:
    """One method: how it is called, what Stripe is asked, and what it answers."""

    call: Callable[[StripeGateway, Order], Any]
    method: str
    path: str
    params: type[Any]
    answer: Json
    account: str | None = None
    said: tuple[tuple[str, str], ...] = ()
    """Parameters that have to be sent."""


ROWS: dict[str, Sent] = {
    "create_customer": Sent(
        lambda g, o: g.create_customer(**o),
        "post", "/customers", p.CustomerCreateParams, c.customer(),
        said=(("metadata[op_kind]", "user"), ("metadata[op_id]", "row-1")),
    ),
    "create_setup_intent": Sent(
        lambda g, o: g.create_setup_intent("cus_1", **o),
        "post", "/setup_intents", p.SetupIntentCreateParams, c.setup_intent(),
        said=(("customer", "cus_1"), ("metadata[workflow_id]", "run:1")),
    ),
    "retrieve_setup_intent": Sent(
        lambda g, _: g.retrieve_setup_intent("seti_1"),
        "get", "/setup_intents/seti_1", p.SetupIntentRetrieveParams, c.setup_intent(),
    ),
    "cancel_setup_intent": Sent(
        lambda g, o: g.cancel_setup_intent("seti_1", **o),
        "post", "/setup_intents/seti_1/cancel", p.SetupIntentCancelParams,
        c.setup_intent(status="canceled"),
    ),
    "list_setup_attempts": Sent(
        lambda g, _: g.list_setup_attempts("seti_1"),
        "get", "/setup_attempts", p.SetupAttemptListParams, listed(c.setup_attempt()),
        said=(("setup_intent", "seti_1"),),
    ),
    "retrieve_payment_method": Sent(
        lambda g, _: g.retrieve_payment_method("pm_1"),
        "get", "/payment_methods/pm_1", p.PaymentMethodRetrieveParams, c.payment_method(),
    ),
    "list_payment_methods": Sent(
        lambda g, _: g.list_payment_methods("cus_1"),
        "get", "/customers/cus_1/payment_methods", p.CustomerPaymentMethodListParams,
        listed(c.payment_method()),
    ),
    "detach_payment_method": Sent(
        lambda g, o: g.detach_payment_method("pm_1", **o),
        "post", "/payment_methods/pm_1/detach", p.PaymentMethodDetachParams,
        c.payment_method(customer=None),
    ),
    "create_payment_intent": Sent(
        lambda g, o: g.create_payment_intent(
            amount_minor=1000, currency="USD", customer_id="cus_1", payment_method_id="pm_1",
            off_session=True, creator_id="u1", description="A tip", statement_suffix="TIP",
            return_url="https://app.example/back", **o,
        ),
        "post", "/payment_intents", p.PaymentIntentCreateParams, c.intent(latest_charge=c.charge()),
        said=(
            ("amount", "1000"), ("currency", "usd"), ("confirm", "true"), ("off_session", "true"),
            ("metadata[op_kind]", "charge"), ("metadata[creator_id]", "u1"),
            ("metadata[workflow_id]", "run:1"),
            ("expand[0]", "latest_charge.balance_transaction"),
        ),
    ),
    "confirm_payment_intent": Sent(
        lambda g, o: g.confirm_payment_intent("pi_1", payment_method_id="pm_2", **o),
        "post", "/payment_intents/pi_1/confirm", p.PaymentIntentConfirmParams,
        c.intent(latest_charge=c.charge()),
        said=(("payment_method", "pm_2"), ("off_session", "false")),
    ),
    "cancel_payment_intent": Sent(
        lambda g, o: g.cancel_payment_intent("pi_1", **o),
        "post", "/payment_intents/pi_1/cancel", p.PaymentIntentCancelParams,
        c.intent(status="canceled"),
    ),
    "retrieve_payment_intent": Sent(
        lambda g, _: g.retrieve_payment_intent("pi_1"),
        "get", "/payment_intents/pi_1", p.PaymentIntentRetrieveParams,
        c.intent(latest_charge=c.charge()),
    ),
    "find_payment_intent": Sent(
        lambda g, _: g.find_payment_intent(customer_id="cus_1", op_id="row-1", since=NOW),
        "get", "/payment_intents", p.PaymentIntentListParams,
        listed(c.intent(metadata={"op_id": "row-1"})),
        said=(("created[gte]", str(c.SECONDS)), ("limit", "100")),
    ),
    "retrieve_charge": Sent(
        lambda g, _: g.retrieve_charge("ch_1"),
        "get", "/charges/ch_1", p.ChargeRetrieveParams, c.charge(),
    ),
    "create_refund": Sent(
        lambda g, o: g.create_refund(
            payment_intent="pi_1", amount_minor=500, reason="requested_by_customer", **o
        ),
        "post", "/refunds", p.RefundCreateParams, c.refund(),
        said=(("amount", "500"), ("metadata[op_kind]", "refund")),
    ),
    "retrieve_refund": Sent(
        lambda g, _: g.retrieve_refund("re_1"),
        "get", "/refunds/re_1", p.RefundRetrieveParams, c.refund(),
    ),
    "find_refund": Sent(
        lambda g, _: g.find_refund(payment_intent="pi_1", op_id="row-1"),
        "get", "/refunds", p.RefundListParams, listed(c.refund(metadata={"op_id": "row-1"})),
    ),
    "refunds_of": Sent(
        lambda g, _: g.refunds_of("pi_1"),
        "get", "/refunds", p.RefundListParams, listed(c.refund()),
    ),
    "retrieve_dispute": Sent(
        lambda g, _: g.retrieve_dispute("dp_1"),
        "get", "/disputes/dp_1", p.DisputeRetrieveParams, c.dispute(),
    ),
    "disputes_of": Sent(
        lambda g, _: g.disputes_of("ch_1"),
        "get", "/disputes", p.DisputeListParams, listed(c.dispute()),
        said=(("charge", "ch_1"),),
    ),
    "submit_evidence": Sent(
        lambda g, o: g.submit_evidence("dp_1", {"access_activity_log": "09:00 opened"}, **o),
        "post", "/disputes/dp_1", p.DisputeUpdateParams, c.dispute(status="under_review"),
        said=(("evidence[access_activity_log]", "09:00 opened"), ("submit", "true")),
    ),
    "close_dispute": Sent(
        lambda g, o: g.close_dispute("dp_1", **o),
        "post", "/disputes/dp_1/close", p.DisputeCloseParams, c.dispute(status="lost"),
    ),
    "create_account": Sent(
        lambda g, o: g.create_account(country="DE", email="c@example.org", **o),
        "post", "/accounts", p.AccountCreateParams, c.account(),
        said=(
            ("capabilities[transfers][requested]", "true"),
            ("settings[payouts][schedule][interval]", "manual"),
        ),
    ),
    "create_account_link": Sent(
        lambda g, o: g.create_account_link(
            "acct_1", refresh_url="https://a.example/r", return_url="https://a.example/b", **o
        ),
        "post", "/account_links", p.AccountLinkCreateParams, c.account_link(),
        said=(("type", "account_onboarding"),),
    ),
    "retrieve_account": Sent(
        lambda g, _: g.retrieve_account("acct_1"),
        "get", "/accounts/acct_1", p.AccountRetrieveParams, c.account(),
    ),
    "create_transfer": Sent(
        lambda g, o: g.create_transfer(
            account_id="acct_1", amount_minor=4000, currency="USD", **o
        ),
        "post", "/transfers", p.TransferCreateParams, c.transfer(),
        said=(("destination", "acct_1"), ("transfer_group", "row-1"), ("currency", "usd")),
    ),
    "retrieve_transfer": Sent(
        lambda g, _: g.retrieve_transfer("tr_1"),
        "get", "/transfers/tr_1", p.TransferRetrieveParams, c.transfer(),
    ),
    "find_transfer": Sent(
        lambda g, _: g.find_transfer(op_id="row-1"),
        "get", "/transfers", p.TransferListParams,
        listed(c.transfer(metadata={"op_id": "row-1"})),
    ),
    "reverse_transfer": Sent(
        lambda g, o: g.reverse_transfer("tr_1", amount_minor=4000, **o),
        "post", "/transfers/tr_1/reversals", p.TransferReversalCreateParams, c.reversal(),
    ),
    "find_reversal": Sent(
        lambda g, _: g.find_reversal(transfer_id="tr_1", op_id="row-1"),
        "get", "/transfers/tr_1/reversals", p.TransferReversalListParams,
        listed(c.reversal(metadata={"op_id": "row-1"})),
    ),
    "create_payout": Sent(
        lambda g, o: g.create_payout(
            account_id="acct_1", amount_minor=4000, currency="USD", **o
        ),
        "post", "/payouts", p.PayoutCreateParams, c.payout(), account="acct_1",
    ),
    "retrieve_payout": Sent(
        lambda g, _: g.retrieve_payout("po_1", account_id="acct_1"),
        "get", "/payouts/po_1", p.PayoutRetrieveParams, c.payout(), account="acct_1",
    ),
    "find_payout": Sent(
        lambda g, _: g.find_payout(account_id="acct_1", op_id="row-1", since=NOW),
        "get", "/payouts", p.PayoutListParams, listed(c.payout(metadata={"op_id": "row-1"})),
        account="acct_1",
    ),
    "balance": Sent(
        lambda g, _: g.balance(account="acct_1"),
        "get", "/balance", p.BalanceRetrieveParams, c.balance(), account="acct_1",
    ),
    "balance_transactions": Sent(
        lambda g, _: list(g.balance_transactions(since=NOW - DAY, until=NOW, source="ch_1")),
        "get", "/balance_transactions", p.BalanceTransactionListParams,
        listed(c.balance_transaction()),
        said=(("created[lt]", str(c.SECONDS)), ("source", "ch_1")),
    ),
    "retrieve_balance_transaction": Sent(
        lambda g, _: g.retrieve_balance_transaction("txn_1"),
        "get", "/balance_transactions/txn_1", p.BalanceTransactionRetrieveParams,
        c.balance_transaction(),
    ),
    "events_since": Sent(
        lambda g, _: list(g.events_since(NOW, types=["refund.updated"])),
        "get", "/events", p.EventListParams, listed(c.event()),
        said=(("types[0]", "refund.updated"),),
    ),
    "calculate_tax": Sent(
        lambda g, o: g.calculate_tax(
            currency="EUR", lines=[TaxLine("sale", 1000, "txcd_10000000")], country="DE",
            postal_code="10115", state="BE", **o,
        ),
        "post", "/tax/calculations", t.CalculationCreateParams, c.tax_calculation(),
        said=(
            ("line_items[0][tax_behavior]", "inclusive"),
            ("customer_details[address][country]", "DE"),
        ),
    ),
    "record_tax_transaction": Sent(
        lambda g, o: g.record_tax_transaction(
            calculation_id="taxcalc_1", reference="row-1", **o
        ),
        "post", "/tax/transactions/create_from_calculation",
        t.TransactionCreateFromCalculationParams, c.tax_transaction(),
    ),
    "reverse_tax_transaction": Sent(
        lambda g, o: g.reverse_tax_transaction("tax_1", reference="r", amount_minor=10, **o),
        "post", "/tax/transactions/create_reversal", t.TransactionCreateReversalParams,
        c.tax_transaction(type="reversal"),
        said=(("mode", "partial"), ("flat_amount", "-10")),
    ),
}  # fmt: skip


def test_every_method_has_a_row() -> None:
    methods = {
        name
        for name, _ in inspect.getmembers(StripeGateway, inspect.isfunction)
        if not name.startswith("_")
    }
    assert methods - {"close"} == ROWS.keys()


@pytest.mark.parametrize("name", ROWS)
def test_a_request_fits_stripes_own_types(make_gateway: MakeGateway, name: str) -> None:
    row = ROWS[name]
    fake = CannedStripe(row.answer)
    order = {"key": f"k:{new_id()}", "op_id": "row-1", "at": NOW, "workflow_id": "run:1"}
    assert row.call(make_gateway(fake), order)
    [asked] = fake.asked
    assert (asked.method, asked.path) == (row.method, f"/v1{row.path}")
    checked(row.params, decode(asked.form))
    assert set(row.said) <= asked.params.items()
    assert asked.headers.get("Stripe-Account") == row.account
    assert asked.headers["Stripe-Version"] == API_VERSION
    assert asked.key == (order["key"] if row.method == "post" else None)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.method == "post"])
def test_every_order_counts_once(make_gateway: MakeGateway, name: str) -> None:
    """Within a day it goes under the same key; afterwards what it made is read, where it made
    something that lasts."""
    row = ROWS[name]
    order = {"key": f"k:{new_id()}", "op_id": "row-1", "at": NOW}
    fake = CannedStripe(row.answer, row.answer, row.answer)
    gateway = make_gateway(fake)
    assert row.call(gateway, order) == row.call(gateway, order)
    late = row.call(gateway, {**order, "at": NOW + DAY})
    assert late == row.call(make_gateway(CannedStripe(row.answer)), {**order, "at": NOW + DAY})
    wanted = "post" if name == "create_account_link" else "get"
    assert [each.method for each in fake.asked] == ["post", "post", wanted]
    assert fake.keys[:2] == [order["key"], order["key"]]


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.method == "post"])
def test_every_order_is_looked_for_or_harmless(make_gateway: MakeGateway, name: str) -> None:
    """After a day without an answer, and with Stripe knowing of nothing, it goes under a new
    key."""
    row = ROWS[name]
    key = f"k:{new_id()}"
    order = {"key": key, "op_id": "row-1", "at": NOW}
    nothing = c.failure(404, code="resource_missing")
    seen: list[str] = []

    def answer(asked: c.Asked) -> c.Answer:
        seen.append(asked.method)
        if asked.method == "post":
            return c.Answer(200, row.answer)
        # A list is empty, and an object is as it was before.
        is_list = "limit" in asked.params
        return c.Answer(200, listed()) if is_list else nothing

    fake = CannedStripe(c.Lost(), answer, answer)
    gateway = make_gateway(fake)
    with pytest.raises(OutcomeUnknown):
        row.call(gateway, order)
    assert row.call(gateway, {**order, "at": NOW + DAY})
    assert fake.keys == [key, f"{key}#2"]
    assert (seen == ["post"]) == (name in HARMLESS)


HARMLESS = {
    "create_account_link",
    "submit_evidence",
    "calculate_tax",
    # Stripe takes their `reference` once.
    "record_tax_transaction",
    "reverse_tax_transaction",
}
"""Orders that may be carried out twice; no other is given again without a look."""
