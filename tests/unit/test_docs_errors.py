"""The page of errors holds every code that the API answers with, under its status."""

from __future__ import annotations

import re

from tests.harness.codes import NOT_ANSWERED, statuses_by_code
from tests.harness.pages import ERRORS, ROOT

MADE_OTHERWISE = {
    "bad_request": {400},
    "cors_refused": {400},
    "database_unavailable": {503},
    "method_not_allowed": {405},
    "not_published": {409},
    "not_taken_down": {409},
    "route_unknown": {404},
    "valkey_unavailable": {503},
}
"""Codes that no call in the source names as a constant."""

NOT_TOLD = {
    "dispute_amounts_differ": "a step of a dispute",
    "dispute_status_unknown": "a step of a dispute",
    "refund_status_unknown": "a step of a refund",
}

ROW = re.compile(r"^\| (`[a-z_0-9`, ]+`) \| (\d{3}(?:, \d{3})*) \| (.+) \|$", re.MULTILINE)


def on_the_page() -> dict[str, set[int]]:
    listed: dict[str, set[int]] = {}
    for codes, statuses, _ in ROW.findall(ERRORS.prose):
        for code in re.findall(r"`(\w+)`", codes):
            assert code not in listed, f"{code} stands twice"
            listed[code] = {int(status) for status in statuses.split(", ")}
    return listed


def in_the_code() -> dict[str, set[int]]:
    found = statuses_by_code()
    assert found.keys() >= NOT_TOLD.keys(), "a code is gone; drop it here"
    return {code: found[code] for code in found.keys() - NOT_TOLD.keys()} | MADE_OTHERWISE


def test_every_code_is_explained_under_its_status() -> None:
    assert on_the_page() == in_the_code()


def test_codes_of_all_layers_are_found() -> None:
    found = statuses_by_code()
    assert found["csrf_refused"] == {403}, "of a layer around the routes"
    assert found["price_changed"] == {409}, "of a rule"
    assert found["price_out_of_bounds"] == {422}, "of two rules"
    assert found["post_not_found"] == {404}, "of a query"
    assert found["storage_quota_exceeded"] == {409}, "of a base class's status"


def test_every_module_left_out_exists() -> None:
    for name in NOT_ANSWERED:
        assert (ROOT / name).exists(), name
