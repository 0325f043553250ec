"""Which differences between the ledger and Stripe are found, and how they are told."""

from __future__ import annotations

import pytest

from domain.reconcile import (
    OWN_MOVEMENTS,
    Booked,
    Break,
    OwnMovement,
    OwnSum,
    Rule,
    compare,
    listing,
    own_movements,
    report,
    sums_by_source,
)

CH = ("ch_1", "USD")


def test_lines_are_summed_by_source_and_currency() -> None:
    lines = [
        Booked("txn_1", "charge", "ch_1", 970, "USD"),
        Booked("txn_2", "adjustment", "dp_1", -2_500, "USD"),
        Booked("txn_3", "adjustment", "dp_1", 1_000, "USD"),
        Booked("txn_4", "charge", "ch_1", 5, "EUR"),
    ]
    assert sums_by_source(lines) == {CH: 970, ("dp_1", "USD"): -1_500, ("ch_1", "EUR"): 5}


@pytest.mark.parametrize("kind", sorted(OWN_MOVEMENTS))
def test_what_is_between_stripe_and_the_platform_alone_is_left_out(kind: str) -> None:
    assert sums_by_source([Booked("txn_1", kind, "po_1", -5_000, "USD")]) == {}


@pytest.mark.parametrize(
    "kind", ["adjustment", "transfer", "issuing_transaction", "stripe_balance_payment_debit", "new"]
)
def test_what_is_not_known_to_be_the_platforms_own_is_compared(kind: str) -> None:
    assert sums_by_source([Booked("txn_1", kind, "x_1", -1_500, "USD")]) == {("x_1", "USD"): -1_500}


def test_the_platforms_own_movements_are_listed_by_kind_and_currency() -> None:
    own = own_movements(
        [
            Booked("txn_1", "payout", "po_1", -5_000, "USD"),
            Booked("txn_2", "payout", "po_2", -2_000, "USD"),
            Booked("txn_3", "payout_failure", "po_2", 2_000, "USD"),
            Booked("txn_4", "payout", "po_3", -900, "EUR"),
            Booked("txn_5", "stripe_fee", None, -20, "USD"),
            Booked("txn_6", "charge", "ch_1", 970, "USD"),
        ]
    )
    assert own == [
        OwnSum(OwnMovement.WITHDRAWAL, "EUR", -900),
        OwnSum(OwnMovement.WITHDRAWAL, "USD", -5_000),
        OwnSum(OwnMovement.STRIPE_FEE, "USD", -20),
    ]
    told = "platform_withdrawal: -9.00 EUR\nplatform_withdrawal: -50.00 USD\n"
    assert listing(own) == f"{told}stripe_fee: -0.20 USD\n"
    assert listing([]) == ""


def test_a_line_of_nothing_stands_for_itself() -> None:
    assert sums_by_source([Booked("txn_1", "adjustment", None, 7, "USD")]) == {("txn_1", "USD"): 7}


@pytest.mark.parametrize(
    ("stripe", "ledger", "rule"),
    [
        ({CH: 970}, {CH: 970}, None),
        ({CH: 0}, {}, None),
        ({}, {CH: 0}, None),
        ({CH: 970}, {CH: 1_000}, Rule.AMOUNTS_DIFFER),
        ({CH: 0}, {CH: 1}, Rule.AMOUNTS_DIFFER),
        ({CH: 970}, {}, Rule.NOT_IN_LEDGER),
        ({}, {CH: 970}, Rule.NOT_AT_STRIPE),
        ({CH: -1}, {}, Rule.NOT_IN_LEDGER),
    ],
)
def test_each_kind_of_difference(
    stripe: dict[tuple[str, str], int], ledger: dict[tuple[str, str], int], rule: Rule | None
) -> None:
    found = compare(stripe, ledger)
    assert [each.rule for each in found] == ([] if rule is None else [rule])
    for each in found:
        assert (each.subject, each.currency) == CH
        assert (each.stripe_minor, each.ledger_minor) == (stripe.get(CH), ledger.get(CH))


def test_a_report_is_a_table_that_a_person_reads() -> None:
    told = report(
        [
            Break("amounts_differ", "ch_1", "the fee", "USD", 970, 1_000),
            Break("journal_balances", "sale:1", "1 entry"),
        ]
    )
    assert "| amounts_differ | ch_1 | 9.70 USD | 10.00 USD | the fee |" in told
    assert "| journal_balances | sale:1 | – | – | 1 entry |" in told
    assert report([]) == "The ledger and Stripe agree."


def test_a_long_report_says_how_much_is_left_out() -> None:
    told = report([Break("amounts_differ", f"ch_{n}") for n in range(50)], lines_max=40)
    assert told.endswith("… and 10 more.")
    assert told.count("ch_") == 40
