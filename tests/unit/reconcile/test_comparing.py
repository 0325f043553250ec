"""Which differences between the ledger and Stripe are found, and how they are told."""

from __future__ import annotations

import pytest

from domain.reconcile import Booked, Break, Rule, compare, report, sums_by_source

CH = ("ch_1", "USD")


def test_lines_are_summed_by_source_and_currency() -> None:
    lines = [
        Booked("txn_1", "charge", "ch_1", 970, "USD"),
        Booked("txn_2", "adjustment", "dp_1", -2_500, "USD"),
        Booked("txn_3", "adjustment", "dp_1", 1_000, "USD"),
        Booked("txn_4", "charge", "ch_1", 5, "EUR"),
    ]
    assert sums_by_source(lines) == {CH: 970, ("dp_1", "USD"): -1_500, ("ch_1", "EUR"): 5}


@pytest.mark.parametrize("kind", ["payout", "stripe_fee", "topup", "payout_failure"])
def test_what_is_between_stripe_and_the_platform_alone_is_left_out(kind: str) -> None:
    assert sums_by_source([Booked("txn_1", kind, "po_1", -5_000, "USD")]) == {}


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
