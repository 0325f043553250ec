"""Orchestration of comparing the books: a difference waits for a person."""

from __future__ import annotations

from tests.workflows.reconcile.record import agree, heal, skip
from tests.workflows.reconcile.runs import ReconcileRun


async def test_books_that_agree_are_compared_once(run: ReconcileRun) -> None:
    await agree(run)
    assert run.books.comparisons == 1


async def test_a_difference_waits_and_is_compared_again_when_an_operator_says_so(
    run: ReconcileRun,
) -> None:
    await heal(run)
    assert run.books.comparisons == 2


async def test_a_difference_that_is_known_can_be_skipped(run: ReconcileRun) -> None:
    await skip(run)
    assert run.books.comparisons == 1
