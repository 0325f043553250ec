"""How a creator's account stands, read from Stripe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Engine

from activities.errors import typed_failures
from infra.db import transaction
from infra.queries.payouts.accounts import account_id_of, is_ready, keep_account
from infra.queries.payouts.mails import tell_of_account
from infra.stripe import StripeGateway
from workflows.declarations import implements
from workflows.payouts import steps
from workflows.payouts.messages import AccountLook, ConnectStep
from workflows.queues import Queue

log = structlog.get_logger(__name__)


class ConnectActivities:
    def __init__(self, engine: Engine, gateway: StripeGateway) -> None:
        self._engine = engine
        self._gateway = gateway

    def on_queues(self) -> dict[Queue, list[Callable[..., Any]]]:
        return {Queue.MONEY: [self.refresh_account]}

    @implements(steps.refresh_account)
    def refresh_account(self, step: ConnectStep) -> AccountLook:
        with typed_failures():
            with transaction(self._engine) as session:
                account_id = account_id_of(session, step.creator_id)
            if account_id is None:
                return AccountLook("none")
            found = self._gateway.retrieve_account(account_id)
            with transaction(self._engine) as session:
                account = keep_account(session, step.creator_id, found, at=step.at)
                ready = is_ready(account)
                if ready:
                    account.told_at = None
                elif account.details_submitted:
                    # Who has not filled in the form yet knows that; who has may not.
                    tell_of_account(session, account, at=step.at)
            log.info("payout_account", creator_id=step.creator_id, ready=ready)
            return AccountLook("ready" if ready else "waiting")
