"""Points become curves, exponents, tables and a plot that is the same each time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.growth_points import Point, curves, exponent
from benchmarks.kept import ROUNDS, keep, kept
from benchmarks.pages import growth, reckoned
from benchmarks.plot import plot
from benchmarks.processor import processor_seconds, resident_bytes


def curve(k: float, *, what: str = "a proof", of: str = "subscriptions") -> list[Point]:
    """0.5 ms times n^k, with rounds around it."""
    return [
        Point(of, what, size, (0.4 * size**k, 0.5 * size**k, 0.9 * size**k), "ms")
        for size in (100_000, 1_000, 10_000)
    ]


@pytest.mark.parametrize("k", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_is_that_of_the_growth(k: float) -> None:
    assert exponent(curve(k)) == pytest.approx(k)


def test_one_size_says_nothing_of_growth() -> None:
    with pytest.raises(ValueError, match="one size"):
        exponent(curve(1)[:1])


def test_curves_go_by_size_and_keep_to_what_they_are_of() -> None:
    points = [*curve(1), *curve(0, what="a page"), *curve(0, of="media")]
    found = curves(points, "subscriptions")
    assert list(found) == ["a proof", "a page"]
    assert [each.size for each in found["a proof"]] == [1_000, 10_000, 100_000]


def test_the_table_has_a_row_a_figure_with_medians() -> None:
    text = growth(curve(1), "subscriptions")
    assert "| figure | 1,000 | 10,000 | 100,000 | grows as |" in text
    assert "| a proof | 500 ms | 5e+03 ms | 5e+04 ms | n^1.00 |" in text


def test_a_note_stands_once_below_the_table() -> None:
    noted = [replace(each, note="On a busy machine.") for each in curve(1)]
    assert growth(noted, "subscriptions").endswith("|\n\nOn a busy machine.")


def test_what_is_reckoned_stands_beside_what_was_measured() -> None:
    points = [
        Point("runs", "bytes on disk", 500, (20_000.0,), "bytes"),
        Point("runs", "to begin", 500, (12.0,), "ms"),
    ]
    text = reckoned(points)
    assert "| bytes on disk | 2e+04 bytes | 2 GB |" in text
    assert "| to begin | 12 ms | 20 min |" in text


def test_the_plot_is_the_same_each_time_small_and_without_a_date() -> None:
    points = [*curve(1), *curve(0.1, of="media", what="seconds")]
    drawn = plot(points)
    assert drawn == plot(points)
    assert len(drawn) < 60_000
    assert "a proof" in drawn and "dc:date" not in drawn


def test_a_part_never_takes_the_place_of_a_whole_run(tmp_path: Path) -> None:
    whole = [each.as_json() for each in curve(1)]
    keep("growth", whole, rounds=ROUNDS, folder=tmp_path)
    part = keep("growth", whole[:1], rounds=ROUNDS - 1, folder=tmp_path)
    assert len(json.loads(part.read_text())) == 1
    found = [Point.from_json(each) for each in kept("growth", folder=tmp_path)]
    assert [each.median for each in found] == pytest.approx([each.median for each in curve(1)])


def test_what_was_never_measured_has_no_rows(tmp_path: Path) -> None:
    assert kept("growth", folder=tmp_path) == []


def test_time_and_memory_are_those_of_a_process_and_its_children() -> None:
    child = "sum(range(3_000_000)); import sys; print(flush=True); sys.stdin.read()"
    shell = ["sh", "-c", f"'{sys.executable}' -c '{child}'; true"]
    before = processor_seconds([os.getpid()])
    with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None and running.stdin is not None
        running.stdout.readline()
        living = processor_seconds([running.pid])
        assert living > 0.01
        assert resident_bytes([running.pid]) > 1_000_000
        running.stdin.close()
    # Once it was waited for, it stays in what its parent has spent.
    assert processor_seconds([os.getpid()]) - before >= living
    assert processor_seconds([running.pid]) == 0
