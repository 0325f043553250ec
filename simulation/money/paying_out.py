"""Creators who want their money, and staff who let it go."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import select
from temporalio.exceptions import WorkflowAlreadyStartedError

from domain.ids import PAYOUT_BATCH
from domain.payouts.states import PayoutState
from infra.db import transaction
from infra.models import Payout
from infra.queries.payouts.opening import ask_for_payout, decide_review
from simulation.money.parts import Parts
from simulation.money.picks import Picks
from workflows.payouts.batch import PayoutBatch
from workflows.payouts.messages import BatchOrder, PayoutOrder
from workflows.payouts.start import start_payout, tell_of_decision
from workflows.queues import Queue, queue_name


async def ask_for_money(parts: Parts, picks: Picks) -> None:
    """A creator wants to be paid out."""
    creator_id = picks.of(parts.cast.creators, "creator")
    with transaction(parts.engine) as session:
        payout = ask_for_payout(
            session,
            payout_id=picks.row_id("payout"),
            creator_id=creator_id,
            currency=None,
            at=parts.now,
        )
    await start_payout(
        parts.temporal.client,
        PayoutOrder(payout.id, creator_id),
        queue_prefix=parts.queue_prefix,
    )


async def staff_decide(parts: Parts, picks: Picks) -> None:
    """Somebody of the staff lets a payout go, or does not."""
    with transaction(parts.engine) as session:
        waiting = session.scalars(
            select(Payout.id)
            .where(Payout.state == PayoutState.REVIEW.value)
            .order_by(Payout.created_at, Payout.id)
        ).all()
        if not waiting:
            return
        payout_id = picks.of(waiting, "thing")
        decide_review(
            session,
            payout_id,
            approved=picks.number("choice") % 4 != 0,
            by="staff",
            note=None,
            at=parts.now,
        )
    await tell_of_decision(parts.temporal.client, payout_id)


async def pay_everybody(parts: Parts, picks: Picks) -> None:
    """The weekly round, on whatever day it is; a tick is dropped while the last one runs."""
    del picks
    with suppress(WorkflowAlreadyStartedError):
        await parts.temporal.client.start_workflow(
            PayoutBatch.run,
            BatchOrder(),
            id=PAYOUT_BATCH,
            task_queue=queue_name(Queue.WORKFLOWS, prefix=parts.queue_prefix),
        )
