"""A payout's way out: set aside, transferred, paid out, watched.

Each call to Stripe stands between two transactions: the first says that it is about to be made,
the second what came of it. No row is locked meanwhile. Whoever dies on the way leaves a row that
says how far it came, and a call whose key gives the same answer again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from temporalio import activity

from activities.errors import typed_failures
from activities.payouts.looks import REFUSED, look_of
from domain.auth import MailKind
from domain.errors import StepBlocked, Unavailable
from domain.ids import payout_workflow_id
from domain.payouts.eligibility import Refusal
from domain.payouts.review import ReviewPolicy
from domain.payouts.states import PROVISIONAL, BankState, PayoutState, after_bank
from infra.db import transaction
from infra.models import AuditEntry, Payout
from infra.queries import audit
from infra.queries.ledger import fund_payout, settle_payout
from infra.queries.payouts import opening
from infra.queries.payouts.accounts import account_id_of, keep_account
from infra.queries.payouts.mails import tell_of_payout
from infra.queries.payouts.rows import find_payout, lock_payout, move
from infra.settings import Settings
from infra.stripe import StripeGateway
from infra.stripe.objects import Payout as BankPayout
from workflows.declarations import implements
from workflows.payouts import steps
from workflows.payouts.messages import PayoutAttention, PayoutDecision, PayoutLook, PayoutStep
from workflows.queues import Queue

log = structlog.get_logger(__name__)
_S = PayoutState


class SendingActivities:
    def __init__(self, settings: Settings, engine: Engine, gateway: StripeGateway) -> None:
        self._engine = engine
        self._gateway = gateway
        self._policy = ReviewPolicy(
            first=settings.payout_review_first,
            large_minimums=settings.payout_review_minimums,
        )

    def on_queues(self) -> dict[Queue, list[Callable[..., Any]]]:
        return {
            Queue.MONEY: [
                self.open_payout,
                self.send_payout,
                self.look_at_payout,
                self.decide_payout,
                self.note_payout_attention,
            ]
        }

    @implements(steps.open_payout)
    def open_payout(self, step: PayoutStep) -> PayoutLook:
        with typed_failures():
            with transaction(self._engine) as session:
                payout = find_payout(session, step.payout_id)
                account_id = account_id_of(session, payout.creator_id)
            if payout.state != _S.REQUESTED:
                return look_of(payout)
            account = self._gateway.retrieve_account(account_id) if account_id else None
            balance = self._gateway.balance()
            with transaction(self._engine) as session:
                if account is not None:
                    keep_account(session, payout.creator_id, account, at=step.at)
                payout = opening.open_payout(
                    session,
                    step.payout_id,
                    at=step.at,
                    platform_minor=balance.available_minor.get(payout.currency, 0),
                    policy=self._policy,
                )
            log.info("payout_opened", payout_id=payout.id, state=payout.state, why=payout.reason)
            return look_of(payout)

    @implements(steps.send_payout)
    def send_payout(self, step: PayoutStep) -> PayoutLook:
        with typed_failures():
            payout = self._begin(step)
            if payout.state == _S.TRANSFERRING:
                payout = self._transfer(payout, step.at)
            if payout.state in (_S.FUNDED, _S.SUBMITTING):
                payout = self._submit(payout, step.at)
            log.info("payout_sent", payout_id=payout.id, state=payout.state, why=payout.reason)
            return look_of(payout)

    def _begin(self, step: PayoutStep) -> Payout:
        """Much may have happened while it was looked at: a debt, a block, a closed account."""
        with transaction(self._engine) as session:
            payout = lock_payout(session, step.payout_id)
            if payout.state == _S.RESERVED:
                refused = opening.why_not_send(session, payout)
                if refused is None:
                    move(payout, _S.TRANSFERRING, at=step.at)
                else:
                    opening.release_payout(session, payout, at=step.at, reason=refused.reason.value)
                    tell_of_payout(session, payout, MailKind.PAYOUT_FAILED, at=step.at)
            return payout

    def _transfer(self, payout: Payout, at: datetime) -> Payout:
        assert payout.amount_minor is not None
        assert payout.account_id is not None
        try:
            transfer = self._gateway.create_transfer(
                account_id=payout.account_id,
                amount_minor=payout.amount_minor,
                currency=payout.currency,
                key=f"payout:{payout.id}:transfer:1",
                op_id=payout.id,
                at=at,
                workflow_id=payout_workflow_id(payout.id),
            )
        except StepBlocked as error:
            return self._refused(payout.id, at, error)
        with transaction(self._engine) as session:
            payout = lock_payout(session, payout.id)
            if payout.state == _S.TRANSFERRING:
                payout.transfer_id = transfer.id
                fund_payout(
                    session,
                    payout_id=payout.id,
                    at=at,
                    stripe_ref=transfer.id,
                    workflow_id=payout_workflow_id(payout.id),
                )
                move(payout, _S.FUNDED, at=at)
            return payout

    def _submit(self, payout: Payout, at: datetime) -> Payout:
        with transaction(self._engine) as session:
            payout = lock_payout(session, payout.id)
            if payout.state == _S.FUNDED:
                move(payout, _S.SUBMITTING, at=at)
        assert payout.amount_minor is not None
        assert payout.account_id is not None
        try:
            sent = self._gateway.create_payout(
                account_id=payout.account_id,
                amount_minor=payout.amount_minor,
                currency=payout.currency,
                key=f"payout:{payout.id}:payout:1",
                op_id=payout.id,
                at=at,
                workflow_id=payout_workflow_id(payout.id),
            )
        except StepBlocked as error:
            return self._refused(payout.id, at, error)
        return self._apply(payout.id, sent, at)

    def _refused(self, payout_id: str, at: datetime, error: StepBlocked) -> Payout:
        """Stripe has made nothing. Before the transfer that is the end; afterwards the money has
        to come back, unless it is only not there yet."""
        if error.code != REFUSED:
            raise error
        is_short = error.facts.get("reason") == "balance_insufficient"
        with transaction(self._engine) as session:
            payout = lock_payout(session, payout_id)
            if payout.state == _S.TRANSFERRING:
                reason = Refusal.PLATFORM_SHORT.value if is_short else "transfer_refused"
                opening.release_payout(session, payout, at=at, reason=reason)
                tell_of_payout(session, payout, MailKind.PAYOUT_FAILED, at=at)
            elif payout.state == _S.SUBMITTING and not is_short:
                move(payout, _S.RETURNING, at=at, reason="payout_refused")
        if payout.state == _S.SUBMITTING:
            raise Unavailable(
                "The transfer is not available on the account yet.",
                code="transfer_not_available",
                payout_id=payout.id,
                transfer_id=payout.transfer_id,
            ) from error
        log.error("payout_refused", payout_id=payout.id, state=payout.state, **error.facts)
        return payout

    @implements(steps.look_at_payout)
    def look_at_payout(self, step: PayoutStep) -> PayoutLook:
        with typed_failures():
            with transaction(self._engine) as session:
                payout = find_payout(session, step.payout_id)
            if payout.stripe_payout_id is not None and not _S(payout.state).is_final:
                assert payout.account_id is not None
                found = self._gateway.retrieve_payout(
                    payout.stripe_payout_id, account_id=payout.account_id
                )
                payout = self._apply(payout.id, found, step.at)
            else:
                payout = self._touch(step)
            return look_of(payout)

    def _touch(self, step: PayoutStep) -> Payout:
        """So that the sweep sees that its run lives."""
        with transaction(self._engine) as session:
            payout = lock_payout(session, step.payout_id)
            payout.updated_at = step.at
            return payout

    def _apply(self, payout_id: str, found: BankPayout, at: datetime) -> Payout:
        """Write down what Stripe says of the payout, forward only."""
        with transaction(self._engine) as session:
            payout = lock_payout(session, payout_id)
            payout.updated_at = at
            then = after_bank(_S(payout.state), BankState(found.status))
            if payout.state == _S.SUBMITTING:
                payout.stripe_payout_id, payout.sent_at = found.id, at
                move(payout, _S.IN_TRANSIT, at=at)
            payout.arrival_at = found.arrival_at
            if then is not _S(payout.state):
                self._bank_says(session, payout, then, found, at)
            if payout.state == _S.PAID and payout.paid_at is not None:
                self._settle_in_time(session, payout, at)
            return payout

    def _bank_says(
        self,
        session: Session,
        payout: Payout,
        then: PayoutState,
        found: BankPayout,
        at: datetime,
    ) -> None:
        if then is _S.PAID:
            payout.paid_at = at
            move(payout, _S.PAID, at=at)
            tell_of_payout(session, payout, MailKind.PAYOUT_PAID, at=at)
        else:
            move(payout, then, at=at, reason=found.failure_code or f"payout_{found.status}")
        log.info(
            "payout_moved", payout_id=payout.id, state=payout.state, failure=found.failure_code
        )

    def _settle_in_time(self, session: Session, payout: Payout, at: datetime) -> None:
        assert payout.paid_at is not None
        if at < payout.paid_at + PROVISIONAL:
            return
        settle_payout(
            session, payout_id=payout.id, at=at, workflow_id=payout_workflow_id(payout.id)
        )
        move(payout, _S.SETTLED, at=at)

    @implements(steps.decide_payout)
    def decide_payout(self, decision: PayoutDecision) -> PayoutLook:
        info = activity.info()
        with typed_failures(), transaction(self._engine) as session:
            payout, _ = opening.decide_review(
                session,
                decision.payout_id,
                approved=decision.approved,
                by=decision.operator,
                note=decision.note or None,
                at=decision.at,
            )
            audit.record(
                session,
                AuditEntry(
                    actor_name=decision.operator,
                    action="payout.approved" if decision.approved else "payout.rejected",
                    subject_type="payout",
                    subject_id=payout.id,
                    detail={"note": decision.note, "creator_id": payout.creator_id},
                ),
                once=f"{info.workflow_run_id}:{info.activity_id}",
            )
            return look_of(payout)

    @implements(steps.note_payout_attention)
    def note_payout_attention(self, attention: PayoutAttention) -> None:
        with typed_failures(), transaction(self._engine) as session:
            payout = lock_payout(session, attention.payout_id)
            payout.attention_step = attention.step
            payout.attention_reason = attention.reason
            payout.updated_at = attention.at
