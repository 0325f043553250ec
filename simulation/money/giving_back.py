"""Money that goes back to fans: refunds, and what banks decide."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import select

from devstack.stripe import disputes
from devstack.stripe.errors import Refused
from domain.charges.states import ChargeState
from domain.refunds import RefundReason, Requester
from infra.db import transaction
from infra.models import Charge, Refund
from infra.queries.refunds import NewRefund, request_refund
from simulation.money.parts import Parts
from simulation.money.picks import PATIENCE, Picks
from workflows.refunds.start import refund_now


async def refund(parts: Parts, picks: Picks) -> None:
    """A creator gives a payment back, or a part of it; one that was given back already, or
    is disputed, as well: that has to be refused."""
    refund_id = picks.row_id("refund")
    with transaction(parts.engine) as session:
        before = session.get(Refund, refund_id)
        paid = session.scalars(
            select(Charge).where(Charge.state == ChargeState.PAID.value).order_by(Charge.id)
        ).all()
        if not paid:
            return
        charge = picks.of(paid, "thing")
        part = 1 + picks.number("card") % charge.amount_minor
        asked = request_refund(
            session,
            NewRefund(
                id=refund_id,
                # Who asks again names the same payment.
                charge_id=before.charge_id if before else charge.id,
                amount_minor=None if picks.number("choice") % 2 else part,
                reason=RefundReason.REQUESTED_BY_CUSTOMER,
                requested_as=Requester.CREATOR,
                requested_by=charge.creator_id,
                at=parts.now,
            ),
        )
    await refund_now(
        parts.temporal.client,
        asked.id,
        asker_id=charge.creator_id,
        queue_prefix=parts.queue_prefix,
        patience=PATIENCE,
    )


async def bank_decides(parts: Parts, picks: Picks) -> None:
    """A bank ends a dispute, or makes a chargeback of an inquiry."""
    parts.way.keep_time()
    scope = parts.way.stripe.scope()
    inquiry = ("warning_needs_response", "warning_under_review")
    open_ones = [
        each
        for each in scope.all("dispute")
        if each["status"] in (*inquiry, "needs_response", "under_review")
    ]
    if not open_ones:
        return
    dispute = picks.of(open_ones, "thing")
    if dispute["status"] in inquiry:
        if picks.number("choice") % 2:
            with suppress(Refused):  # What was refunded meanwhile is not disputed.
                disputes.escalate(scope, dispute["id"])
        else:
            disputes.finish(scope, dispute["id"], "warning_closed")
    else:
        disputes.finish(scope, dispute["id"], ("won", "lost")[picks.number("choice") % 2])
