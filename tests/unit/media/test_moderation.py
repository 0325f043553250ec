"""The rules that turn labels and matches into one outcome."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.media.moderation import (
    BlockMatch,
    Label,
    ModerationPolicy,
    Outcome,
    PdqHash,
    decide,
    hamming,
    nearest_match,
)

POLICY = ModerationPolicy(
    score_min=0.45,
    hold_labels=frozenset({"FACE_MALE", "ANUS_EXPOSED"}),
    pdq_distance_max=31,
    pdq_quality_min=50,
)
HASH = "f0" * 32


def flipped(hash_hex: str, bits: int) -> str:
    """The hash with its lowest `bits` bits turned over."""
    return f"{int(hash_hex, 16) ^ ((1 << bits) - 1):064x}"


@pytest.mark.parametrize(
    ("labels", "distances", "outcome"),
    [
        ([], [], Outcome.PASS),
        ([("FEMALE_BREAST_EXPOSED", 0.44)], [], Outcome.PASS),
        ([("FEMALE_BREAST_EXPOSED", 0.45)], [], Outcome.LABEL),
        ([("FACE_FEMALE", 0.99)], [], Outcome.PASS),
        ([("FACE_MALE", 0.6)], [], Outcome.HOLD),
        ([("BUTTOCKS_EXPOSED", 0.9), ("ANUS_EXPOSED", 0.5)], [], Outcome.HOLD),
        ([("ANUS_EXPOSED", 0.4)], [], Outcome.PASS),
        ([], [32], Outcome.PASS),
        ([], [31], Outcome.BLOCK),
        ([("ANUS_EXPOSED", 0.9)], [40, 3], Outcome.BLOCK),
    ],
)
def test_the_strictest_finding_decides(
    labels: list[tuple[str, float]], distances: list[int], outcome: Outcome
) -> None:
    verdict = decide(
        [Label(name, score) for name, score in labels],
        [BlockMatch(HASH, distance) for distance in distances],
        POLICY,
    )
    assert verdict.outcome is outcome


def test_each_label_is_kept_once_with_its_best_score_and_idle_ones_are_dropped() -> None:
    verdict = decide(
        [
            Label("BUTTOCKS_EXPOSED", 0.5),
            Label("FACE_FEMALE", 0.99),
            Label("BUTTOCKS_EXPOSED", 0.81234),
            Label("FEMALE_BREAST_EXPOSED", 0.9),
        ],
        [],
        POLICY,
    )
    assert verdict.labels == (
        Label("FEMALE_BREAST_EXPOSED", 0.9),
        Label("BUTTOCKS_EXPOSED", 0.812),
    )


def test_the_nearest_match_is_the_one_reported() -> None:
    matches = [BlockMatch("aa" * 32, 20), BlockMatch("bb" * 32, 4), BlockMatch("cc" * 32, 90)]
    assert decide([], matches, POLICY).match == BlockMatch("bb" * 32, 4)


@pytest.mark.parametrize(("bits", "is_found"), [(0, True), (31, True), (32, False), (200, False)])
def test_a_hash_matches_up_to_31_differing_bits(bits: int, is_found: bool) -> None:
    entry = flipped(HASH, bits)
    match = nearest_match(PdqHash(HASH, quality=100), ["0f" * 32, entry], POLICY)
    assert match == (BlockMatch(entry, bits) if is_found else None)


def test_a_mirrored_copy_matches_by_a_variant() -> None:
    found = PdqHash("00" * 32, quality=80, variants=("3c" * 32, HASH))
    assert nearest_match(found, [flipped(HASH, 5)], POLICY) == BlockMatch(flipped(HASH, 5), 5)


@pytest.mark.parametrize(("quality", "is_found"), [(49, False), (50, True)])
def test_a_hash_of_too_little_structure_matches_nothing(quality: int, is_found: bool) -> None:
    match = nearest_match(PdqHash(HASH, quality=quality), [HASH], POLICY)
    assert (match is not None) is is_found


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1))
def test_distance_counts_differing_bits_and_is_symmetric(one: int, other: int) -> None:
    one_hex, other_hex = f"{one:064x}", f"{other:064x}"
    by_hand = sum((one >> bit & 1) != (other >> bit & 1) for bit in range(256))
    assert hamming(one_hex, other_hex) == hamming(other_hex, one_hex) == by_hand
