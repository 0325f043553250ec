"""Recovery codes and counters of passkeys."""

from __future__ import annotations

import os

import pytest

from domain.factors import (
    RECOVERY_CODE_BYTES,
    counter_went_back,
    recovery_code_from,
    recovery_code_hash,
)


def test_a_recovery_code_holds_all_of_its_entropy() -> None:
    assert recovery_code_from(bytes(15)) == "000000-000000-000000-000000"
    assert recovery_code_from(b"\xff" * 15) == "zzzzzz-zzzzzz-zzzzzz-zzzzzz"
    codes = {recovery_code_from(os.urandom(RECOVERY_CODE_BYTES)) for _ in range(1000)}
    assert len(codes) == 1000


@pytest.mark.parametrize(
    "written",
    [
        "01abcd-ef2345-678901-ghjkmn",
        "01ABCD-EF2345-678901-GHJKMN",
        "01abcdef2345678901ghjkmn",
        " 01abcd ef2345 678901 ghjkmn ",
        "oiabcd-ef2345-6789OL-ghjkmn",
    ],
)
def test_a_recovery_code_is_the_same_however_it_is_written_down(written: str) -> None:
    assert recovery_code_hash(written) == recovery_code_hash("01abcd-ef2345-678901-ghjkmn")


def test_another_code_has_another_hash() -> None:
    first, second = (recovery_code_from(os.urandom(RECOVERY_CODE_BYTES)) for _ in range(2))
    assert recovery_code_hash(first) != recovery_code_hash(second)


@pytest.mark.parametrize(
    ("stored", "reported", "went_back"),
    [
        (0, 0, False),  # doesn't count
        (0, 1, False),
        (5, 6, False),
        (5, 500, False),
        (5, 5, True),
        (5, 4, True),
        (5, 0, True),
        (2**32 - 1, 0, True),
    ],
)
def test_a_counter_only_ever_goes_up(stored: int, reported: int, went_back: bool) -> None:
    assert counter_went_back(stored=stored, reported=reported) is went_back
