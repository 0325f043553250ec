"""Days later: what banks take their time for, and the books once more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from chaos import doubles
from chaos.families.schedules import RECONCILE
from chaos.faults.fault import Fault, nothing
from chaos.outcome import Outcome
from chaos.stage import Stage
from devstack.demo.browser import Browser

Rows = list[tuple[Any, ...]]

NAME = "afterwards"
LATER = Fault(NAME, "days later payouts arrive, and the books are compared", nothing, nothing)
NEEDED = "payouts"
"""The family without which there is nothing to wait for."""
BANK_DAYS = 3
DEADLINE_SECONDS = 40.0
POLL_SECONDS = 0.5
UNPAID = "SELECT id::text, state FROM payouts WHERE state NOT IN ('paid', 'settled')"


async def look(stage: Stage) -> Outcome:
    """Every payout of all rounds arrives, and a reconciliation finds no difference."""
    begun = time.monotonic()
    (count,) = (await stage.rows("SELECT count(*) FROM payouts"))[0]
    async with Browser(stage.settings) as browser:
        await asyncio.to_thread(browser.pass_days, BANK_DAYS)
    lost = await _until_empty(lambda: stage.rows(UNPAID))
    notes = await _reconciled(stage)
    found = await asyncio.to_thread(doubles.broken_rows, stage.engine)
    found += await doubles.at_stripe(stage)
    return Outcome(
        fault=NAME,
        work=["payouts", RECONCILE],
        acknowledged=int(count) + 1,
        lost=len(lost) + len(notes),
        doubled=len(found),
        recovery_seconds=round(time.monotonic() - begun, 1),
        lost_work=[f"payout {payout_id} is {state}" for payout_id, state in lost] + notes,
        doubled_work=found,
    )


async def _until_empty(ask: Callable[[], Awaitable[Rows]]) -> Rows:
    """What is left of it when time is over."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        rows = await ask()
        if not rows or time.monotonic() > deadline:
            return rows
        await asyncio.sleep(POLL_SECONDS)


async def _reconciled(stage: Stage) -> list[str]:
    """What keeps the books from being found equal."""
    since = await stage.trigger(RECONCILE)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (state := await stage.tick(RECONCILE, since)) != "completed":
        if time.monotonic() > deadline:
            return [f"reconciliation: the run is {state}"]
        await asyncio.sleep(POLL_SECONDS)
    rows = await stage.rows(
        "SELECT breaks FROM reconciliations WHERE breaks_found > 0 AND started_at >= :since",
        since=since,
    )
    return [f"reconciliation found {row[0]}" for row in rows]
