"""A payout's way back: the transfer is reversed first, and only then anybody is credited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from activities.errors import typed_failures
from activities.payouts.looks import REFUSED, look_of
from domain.auth import MailKind
from domain.errors import StepBlocked
from domain.ids import payout_workflow_id
from domain.payouts.states import PayoutState
from infra.db import transaction
from infra.models import Payout
from infra.queries.ledger import return_payout, reverse_transfer
from infra.queries.payouts.mails import tell_of_payout
from infra.queries.payouts.rows import find_payout, lock_payout, move
from infra.stripe import StripeGateway
from infra.stripe.objects import Reversal
from workflows.declarations import implements
from workflows.payouts import steps
from workflows.payouts.messages import PayoutLook, PayoutStep
from workflows.queues import Queue

log = structlog.get_logger(__name__)
_S = PayoutState
_FAILED = (_S.RETURNING, _S.NEEDS_OPS)


class ReturnActivities:
    def __init__(self, engine: Engine, gateway: StripeGateway) -> None:
        self._engine = engine
        self._gateway = gateway

    def on_queues(self) -> dict[Queue, list[Callable[..., Any]]]:
        return {Queue.MONEY: [self.return_payout]}

    @implements(steps.return_payout)
    def return_payout(self, step: PayoutStep) -> PayoutLook:
        with typed_failures():
            with transaction(self._engine) as session:
                payout = find_payout(session, step.payout_id)
            if payout.state not in _FAILED:
                return look_of(payout)
            reversal = self._reverse(payout, step)
            with transaction(self._engine) as session:
                payout = lock_payout(session, step.payout_id)
                if payout.state in _FAILED:
                    _write_return(session, payout, reversal, step)
            return look_of(payout)

    def _reverse(self, payout: Payout, step: PayoutStep) -> Reversal:
        assert payout.transfer_id is not None
        assert payout.amount_minor is not None
        try:
            return self._gateway.reverse_transfer(
                payout.transfer_id,
                amount_minor=payout.amount_minor,
                key=f"payout:{payout.id}:reverse:1",
                op_id=payout.id,
                at=step.at,
                workflow_id=payout_workflow_id(payout.id),
            )
        except StepBlocked as error:
            if error.code != REFUSED:
                raise
            with transaction(self._engine) as session:
                payout = lock_payout(session, payout.id)
                if payout.state == _S.RETURNING:
                    move(payout, _S.NEEDS_OPS, at=step.at)
            raise StepBlocked(
                "Stripe does not take the transfer of a failed payout back. Nobody was credited.",
                code="payout_reversal_refused",
                payout_id=payout.id,
                transfer_id=payout.transfer_id,
                why=error.facts.get("reason"),
            ) from error


def _write_return(session: Session, payout: Payout, reversal: Reversal, step: PayoutStep) -> None:
    run = payout_workflow_id(payout.id)
    payout.reversal_id = reversal.id
    reverse_transfer(
        session, payout_id=payout.id, at=step.at, stripe_ref=reversal.id, workflow_id=run
    )
    return_payout(session, payout_id=payout.id, at=step.at, workflow_id=run)
    move(payout, _S.RETURNED, at=step.at)
    tell_of_payout(session, payout, MailKind.PAYOUT_FAILED, at=step.at)
    log.info("payout_returned", payout_id=payout.id, why=payout.reason)
