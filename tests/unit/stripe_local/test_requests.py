"""What every request has in common: parameters, errors, pages, expansion, keys, faults."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from devstack.stripe import Config, Fault, LocalStripe
from devstack.stripe.inprocess import client_of
from tests.unit.stripe_local.conftest import NOW
from tests.unit.stripe_local.paying import balance, charge_of, customer_with, pay

USD: dict[str, Any] = {"amount": 1000, "currency": "usd"}


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"currency": "usd"}, "parameter_missing", "amount"),
        ({**USD, "colour": "red"}, "parameter_unknown", "colour"),
        (
            {**USD, "automatic_payment_methods": {"enabled": True, "colour": "red"}},
            "parameter_unknown",
            "automatic_payment_methods[colour]",
        ),
        ({**USD, "amount": "ten"}, "parameter_invalid_integer", "amount"),
        ({**USD, "confirm": "perhaps"}, None, "confirm"),
        ({**USD, "capture_method": "never"}, None, "capture_method"),
        ({**USD, "amount": 49}, "amount_too_small", "amount"),
        ({**USD, "amount": 100_000_000}, "amount_too_large", "amount"),
        ({**USD, "currency": "xxx"}, None, "currency"),
        ({**USD, "customer": "cus_none"}, "resource_missing", "customer"),
        ({**USD, "off_session": True}, None, "off_session"),
        ({**USD, "api_key": "sk_test_other"}, "parameter_unknown", "api_key"),
    ],
)
def test_parameters_are_refused_as_stripe_refuses_them(
    client: stripe.StripeClient, params: Any, code: str | None, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.payment_intents.create(params)
    assert raised.value.http_status == 400
    assert (raised.value.code, raised.value.param) == (code, param)
    assert raised.value.request_id is not None


def test_unknown_ids_paths_keys_and_accounts(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        client.v1.charges.retrieve("ch_none")
    assert (raised.value.http_status, raised.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        client.raw_request("get", "/v1/nothing")
    with pytest.raises(stripe.AuthenticationError):
        client_of(local, secret_key="sk_live_never").v1.balance.retrieve()
    with pytest.raises(stripe.PermissionError) as denied:
        client.v1.balance.retrieve({}, {"stripe_account": "acct_none"})
    assert denied.value.error is not None
    assert denied.value.error.code == "account_invalid"


def test_lists_come_in_pages_newest_first(client: stripe.StripeClient) -> None:
    made = [client.v1.customers.create({"name": str(n)}).id for n in range(5)]
    first = client.v1.customers.list({"limit": 2})
    assert [row.id for row in first.data] == [made[4], made[3]]
    assert first.has_more
    second = client.v1.customers.list({"limit": 3, "starting_after": made[3]})
    assert [row.id for row in second.data] == [made[2], made[1], made[0]]
    assert not second.has_more
    before = client.v1.customers.list({"limit": 1, "ending_before": made[1]})
    assert [row.id for row in before.data] == [made[2]]
    assert [row.id for row in first.auto_paging_iter()] == made[::-1]


def test_lists_are_filtered_by_time(local: LocalStripe, client: stripe.StripeClient) -> None:
    old = client.v1.customers.create({})
    local.advance(10)
    new = client.v1.customers.create({})
    late = client.v1.customers.list({"created": {"gte": NOW + 10}})
    assert [row.id for row in late.data] == [new.id]
    early = client.v1.customers.list({"created": {"lt": NOW + 10}})
    assert [row.id for row in early.data] == [old.id]


def test_expansion_follows_paths_through_lists(client: stripe.StripeClient) -> None:
    intent = pay(client)
    listed = client.v1.payment_intents.list({"expand": ["data.latest_charge.balance_transaction"]})
    charge = charge_of(listed.data[0])
    assert isinstance(charge.balance_transaction, stripe.BalanceTransaction)
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        client.v1.payment_intents.retrieve(intent.id, {"expand": ["nothing"]})


def test_metadata_is_merged_and_unset(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"metadata": {"a": "1", "b": "2"}})
    changed = client.v1.customers.update(customer.id, {"metadata": {"a": "", "c": "3"}})
    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
    cleared = client.v1.customers.update(customer.id, {"metadata": ""})
    assert cleared.metadata is not None
    assert cleared.metadata.to_dict() == {}


def test_a_key_gives_the_first_answer_again(client: stripe.StripeClient) -> None:
    first, second = pay(client, key="k"), pay(client, key="k")
    assert first.id == second.id
    assert first.last_response is not None and second.last_response is not None
    assert first.last_response.body == second.last_response.body
    assert second.last_response.headers["Idempotent-Replayed"] == "true"
    assert balance(client) == (0, 941)


def test_a_decline_is_given_again_too(client: stripe.StripeClient) -> None:
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            pay(client, "pm_card_visa_chargeDeclined", key="k")
    assert len(client.v1.charges.list().data) == 1


def test_a_key_is_for_one_request(client: stripe.StripeClient) -> None:
    pay(client, key="k")
    with pytest.raises(stripe.IdempotencyError):
        pay(client, key="k", amount=2000)
    with pytest.raises(stripe.IdempotencyError):
        client.v1.customers.create({}, {"idempotency_key": "k"})


def test_a_key_is_not_used_up_by_a_request_that_is_invalid(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        pay(client, key="k", colour="red")
    assert pay(client, key="k").status == "succeeded"


def test_a_key_is_forgotten_after_a_day(local: LocalStripe, client: stripe.StripeClient) -> None:
    first = pay(client, key="k")
    local.advance(86_399)
    assert pay(client, key="k").id == first.id
    local.advance(1)
    assert pay(client, key="k").id != first.id


def test_a_lost_answer_is_found_again_by_its_key(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    local.faults.add(Fault("lost_after", method="POST", path="/v1/payment_intents"))
    with pytest.raises(stripe.APIConnectionError):
        pay(client, key="k")
    assert pay(client, key="k").status == "succeeded"
    assert len(client.v1.payment_intents.list().data) == 1


def test_a_call_that_never_arrived_has_done_nothing(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    local.faults.add(Fault("lost_before", times=2))
    for _ in range(2):
        with pytest.raises(stripe.APIConnectionError):
            pay(client, key="k")
    assert client.v1.payment_intents.list().data == []


@pytest.mark.parametrize(
    ("status", "error"), [(429, stripe.RateLimitError), (503, stripe.APIError)]
)
def test_a_call_that_stripe_puts_off_may_be_repeated(
    local: LocalStripe, client: stripe.StripeClient, status: int, error: type[Exception]
) -> None:
    local.faults.add(Fault("refused_before", status=status))
    with pytest.raises(error):
        pay(client, key="k")
    assert pay(client, key="k").status == "succeeded"


def test_a_failure_after_the_deed_is_what_the_key_remembers(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    local.faults.add(Fault("failed_after"))
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            pay(client, key="k", metadata={"op_id": "o-1"})
    found = client.v1.payment_intents.search({"query": "metadata['op_id']:'o-1'"})
    assert [intent.status for intent in found.data] == ["succeeded"]


def test_a_key_is_in_use_while_its_request_is_under_way(
    local: LocalStripe, client: stripe.StripeClient
) -> None:
    local.faults.add(Fault("slow", seconds=100))
    with pytest.raises(stripe.APIConnectionError):
        pay(client, key="k")
    with pytest.raises(stripe.APIError) as raised:
        pay(client, key="k")
    assert raised.value.error is not None
    assert (raised.value.http_status, raised.value.error.code) == (409, "idempotency_key_in_use")
    local.advance(100)
    assert pay(client, key="k").status == "succeeded"


def test_search_combines_clauses_and_lags() -> None:
    local = LocalStripe(now=NOW, seed="lag", config=Config(search_lag_seconds=60))
    client = client_of(local)
    intent = pay(client, metadata={"op_id": "x"})
    query = "metadata['op_id']:'x' AND status:'succeeded'"
    assert client.v1.payment_intents.search({"query": query}).data == []
    local.advance(60)
    found = client.v1.payment_intents.search({"query": query})
    assert [row.id for row in found.data] == [intent.id]
    for other in ("metadata['op_id']:'y'", "-status:'succeeded'", "amount>1000"):
        assert client.v1.payment_intents.search({"query": other}).data == []
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.search({"query": "colour:'red'"})


def test_the_same_seed_makes_the_same_ids() -> None:
    def intent_id(seed: str) -> str:
        return pay(client_of(LocalStripe(now=NOW, seed=seed))).id

    assert intent_id("a") == intent_id("a") != intent_id("b")


def test_a_file_keeps_everything(tmp_path: Any) -> None:
    path = tmp_path / "stripe.sqlite"
    before = LocalStripe(now=NOW, seed="file", path=path)
    customer, _ = customer_with(client_of(before), "pm_card_visa")
    intent = pay(client_of(before), key="k")
    before.advance(50)
    before.close()
    after = LocalStripe(now=NOW, seed="other", path=path)
    client = client_of(after)
    assert after.now == NOW + 50
    assert client.v1.customers.retrieve(customer).email == "fan@example.com"
    assert pay(client, key="k").id == intent.id
    assert pay(client).id != intent.id
    assert balance(client) == (0, 1882)
    after.close()
