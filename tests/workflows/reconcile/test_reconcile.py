"""Orchestration of comparing the books: a difference waits for a person."""

from __future__ import annotations

from tests.workflows.reconcile.record import agree, come_late, heal, skip, stay
from tests.workflows.reconcile.runs import ReconcileRun
from workflows.reconcile.reconcile import CATCHING_UP


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


async def test_what_is_only_late_is_compared_again_an_hour_later_and_nobody_is_asked(
    run: ReconcileRun,
) -> None:
    began = await run.environment.get_current_time()
    handle = await come_late(run)
    assert run.books.comparisons == 2
    ended = (await handle.describe()).close_time
    assert ended is not None and ended - began >= CATCHING_UP


async def test_what_differs_still_after_an_hour_waits_and_a_retry_asks_at_once(
    run: ReconcileRun,
) -> None:
    handle = await stay(run)
    assert run.books.comparisons == 3
    ended = (await handle.describe()).close_time
    began = (await handle.describe()).start_time
    assert ended is not None and CATCHING_UP <= ended - began < 2 * CATCHING_UP
