"""The page of measurements and the list of routes are made from what there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api import API_PREFIX
from api.app import create_app
from benchmarks.pages import NOTHING_YET, newest_blocks, newest_plot, ratios, with_newest
from benchmarks.plot import PLOT
from benchmarks.result import compare
from infra.settings import Settings
from tests.harness.pages import (
    ACCOUNTS,
    API,
    BUYING,
    EARNINGS,
    MEDIA,
    MESSAGES,
    PAYOUTS,
    PERFORMANCE,
    POSTS,
    REFUNDS,
    SUBSCRIPTIONS,
)
from tests.unit.test_settings import KEYS

METHODS = {"get", "post", "patch", "put", "delete"}


def test_every_route_is_listed() -> None:
    values = {name.lower(): value for name, value in KEYS.items()}
    document = create_app(Settings.model_validate(values)).openapi()
    routes = {
        f"{method.upper()} {path.removeprefix(API_PREFIX)}"
        for path, operations in document["paths"].items()
        if path.startswith(API_PREFIX)
        for method in METHODS & operations.keys()
    }
    listed = [
        route
        for page in (
            *(ACCOUNTS, API, BUYING, EARNINGS, MEDIA, MESSAGES),
            *(PAYOUTS, POSTS, REFUNDS, SUBSCRIPTIONS),
        )
        for route in page.table("route")
    ]
    assert sorted(listed) == sorted(routes)


def test_the_page_holds_the_newest_results() -> None:
    assert PERFORMANCE.text == with_newest(PERFORMANCE.text), "run python -m benchmarks.pages"


def test_the_plot_is_that_of_the_newest_results() -> None:
    assert PLOT.read_text() == newest_plot(), "run python -m benchmarks.pages"


def test_results_become_rows_with_spread_and_goal(tmp_path: Path) -> None:
    result = compare("sets of pictures", ours=[3, 4], peer=[2, 2], unit="sets/s", at_least=1.2)
    machine = {"cpus": 2, "machine": "x86_64", "python": "3.11.7"}
    (tmp_path / "latest.json").write_text(json.dumps([result.as_json()]))
    (tmp_path / "machine.json").write_text(json.dumps(machine))
    text = newest_blocks(tmp_path)["measured"]
    assert text == ratios([result], machine)
    assert "| sets of pictures | 3.5 sets/s | 2 sets/s | 1.75× (1.50–2.00) | ≥ 1.2× | yes |" in text
    assert text.endswith("On 2 cores of x86_64, Python 3.11.7.")


def test_what_was_never_measured_is_told(tmp_path: Path) -> None:
    assert set(newest_blocks(tmp_path).values()) == {NOTHING_YET}


def test_a_page_without_a_place_for_a_table_is_told() -> None:
    with pytest.raises(ValueError, match="measured"):
        with_newest("# A page")
