"""Who is told of to which tax office."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.earnings.tax_reports import (
    REGIMES,
    Regime,
    Verdict,
    YearOfCreator,
    tax_report_csv,
    verdict_on,
)

TOTAL = YearOfCreator(
    creator_id="c1",
    handle="maker",
    country="US",
    currency="USD",
    sales=201,
    gross_by_quarter=(1_000_000, 500_000, 500_000, 1),
    commission_minor=400_000,
    tax_minor=0,
)


@pytest.mark.parametrize(
    ("changes", "year", "verdict"),
    [
        ({}, 2025, Verdict(Regime.FORM_1099_K, True)),
        ({"sales": 200}, 2025, Verdict(Regime.FORM_1099_K, False)),
        ({"gross_by_quarter": (2_000_000, 0, 0, 0)}, 2025, Verdict(Regime.FORM_1099_K, False)),
        ({"currency": "EUR"}, 2025, Verdict(Regime.FORM_1099_K, None)),
        ({"currency": "EUR", "sales": 5}, 2025, Verdict(Regime.FORM_1099_K, False)),
        ({"country": "DE", "currency": "EUR", "sales": 1}, 2025, Verdict(Regime.DAC7, True)),
        ({"country": "DE", "currency": "USD", "sales": 1}, 2025, Verdict(Regime.DAC7, True)),
        ({"country": "DE"}, 2022, Verdict(Regime.NONE, False)),
        (
            {"country": "FR", "sales": 0, "gross_by_quarter": (0, 0, 0, 0)},
            2025,
            Verdict(Regime.DAC7, False),
        ),
        ({"country": "GB"}, 2023, Verdict(Regime.NONE, False)),
        ({"country": "GB"}, 2024, Verdict(Regime.UK_DIGITAL_PLATFORMS, True)),
        ({"country": "JP"}, 2025, Verdict(Regime.NONE, False)),
        ({"country": None}, 2025, Verdict(Regime.NONE, False)),
    ],
)
def test_thresholds_by_country_and_year(
    changes: dict[str, object], year: int, verdict: Verdict
) -> None:
    assert verdict_on(replace(TOTAL, **changes), year) == verdict  # type: ignore[arg-type]


def test_the_union_has_27_members() -> None:
    assert sum(regime is Regime.DAC7 for regime in REGIMES.values()) == 27


def test_the_table_has_the_quarters_and_what_is_left() -> None:
    _, line, rest = tax_report_csv([TOTAL], 2025).split("\r\n")
    assert line == (
        "2025,c1,maker,US,1099-K,yes,USD,201,20000.01,10000.00,5000.00,5000.00,0.01,"
        "4000.00,0.00,16000.01"
    )
    assert rest == ""
