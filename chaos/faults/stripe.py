"""Troubles of Stripe's: it answers 5xx, it hangs, it obeys and its answer is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from chaos.families import FAMILIES
from chaos.faults.fault import Act, Fault, NeverMet
from chaos.work import Round
from devstack.stripe.part import control

CALLS = 10_000
"""More than there will be until it is healed."""
OURS = r"/v1/(?!setup_intents/[^/]+/confirm).*"
"""All but what a browser asks."""
HANGS_SECONDS = 12.0
"""Longer than our patience."""


def befalls(**fault: Any) -> Act:
    async def act(round_: Round) -> None:
        base = round_.stage.settings.stripe_api_base
        await asyncio.to_thread(control, base, "fault", times=CALLS, **{"path": OURS, **fault})

    return act


async def passes(round_: Round) -> None:
    """
    Raises:
        NeverMet: no call of ours came by the fault, though money was to be moved.
    """
    base = round_.stage.settings.stripe_api_base
    cleared = await asyncio.to_thread(control, base, "clear_faults")
    if cleared["met"] == 0 and any(FAMILIES[name].moves_money for name in round_.families):
        raise NeverMet("no call of ours has met it")


FAULTS: Sequence[Fault] = (
    Fault(
        "stripe-answers-5xx",
        "Stripe answers 503 to each call, for 4 s",
        befalls(kind="refused_before", status=503),
        passes,
        lasts_seconds=4,
    ),
    Fault(
        "stripe-hangs",
        f"Stripe answers after {HANGS_SECONDS:.0f} s, which nobody waits for",
        befalls(kind="slow", seconds=HANGS_SECONDS),
        passes,
        lasts_seconds=6,
    ),
    Fault(
        "stripe-loses-answers",
        "Stripe does what it is told, and the connection breaks before it answers, for 4 s",
        befalls(kind="lost_after", method="POST"),
        passes,
        lasts_seconds=4,
    ),
)
