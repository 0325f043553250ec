"""What runs of cards ask for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Engine

from activities.errors import typed_failures
from domain.ids import card_setup_workflow_id
from domain.payment_methods import SETUP_TTL, SetupState
from infra.db import transaction
from infra.models import CardSetup, PaymentMethod
from infra.queries.payment_methods import customer_of, declines, setups
from infra.stripe.gateway import StripeGateway
from infra.stripe.objects import SetupIntent
from workflows.declarations import implements
from workflows.payment_methods import steps
from workflows.payment_methods.messages import (
    CardRemovalOrder,
    CardSetupLook,
    CardSetupOrder,
    CardSetupOutcome,
)
from workflows.queues import Queue

_ENDED = frozenset({"succeeded", "canceled"})

log = structlog.get_logger(__name__)


class CardActivities:
    def __init__(self, engine: Engine, gateway: StripeGateway) -> None:
        self._engine = engine
        self._gateway = gateway

    def on_queues(self) -> dict[Queue, list[Callable[..., Any]]]:
        return {Queue.MONEY: [self.begin_card_setup, self.look_at_card_setup, self.detach_card]}

    @implements(steps.begin_card_setup)
    def begin_card_setup(self, order: CardSetupOrder) -> CardSetupOutcome:
        with typed_failures():
            customer_id = self._customer(order)
            intent = self._gateway.create_setup_intent(
                customer_id,
                key=f"card_setup:{order.setup_id}:create:1",
                op_id=order.setup_id,
                workflow_id=card_setup_workflow_id(order.setup_id),
                at=order.at,
            )
            with transaction(self._engine) as session:
                setup = setups.setup_of(session, order.setup_id)
                setups.keep_form(setup, intent)
            return _outcome(setup)

    def _customer(self, order: CardSetupOrder) -> str:
        """The fan's id at Stripe. Two setups at once give the same key, and so the same one."""
        with transaction(self._engine) as session:
            known = customer_of(session, order.fan_id)
        if known is not None:
            return known
        made = self._gateway.create_customer(
            key=f"customer:{order.fan_id}:create:1", op_id=order.fan_id, at=order.at
        )
        with transaction(self._engine) as session:
            setups.keep_customer(session, fan_id=order.fan_id, customer_id=made.id, at=order.at)
        return made.id

    @implements(steps.look_at_card_setup)
    def look_at_card_setup(self, look: CardSetupLook) -> CardSetupOutcome:
        with typed_failures():
            with transaction(self._engine) as session:
                setup = session.get_one(CardSetup, look.setup_id)
            if setup.state != SetupState.OPEN or setup.setup_intent_id is None:
                return _outcome(setup)
            intent = self._gateway.retrieve_setup_intent(setup.setup_intent_id)
            attempts = self._gateway.list_setup_attempts(intent.id)
            with transaction(self._engine) as session:
                setup = setups.setup_of(session, look.setup_id)
                declines.keep_declines(session, setup, attempts)
                is_tested = declines.has_too_many_declines(session, fan_id=setup.fan_id, at=look.at)
            is_over = look.is_last or is_tested
            if is_over and intent.status not in _ENDED:
                # The browser has its secret, and could try cards with it for as long as it likes.
                intent = self._cancel(setup, intent.id, look.at)
            card = None
            if intent.status == "succeeded" and intent.payment_method is not None:
                card = self._gateway.retrieve_payment_method(intent.payment_method)
            with transaction(self._engine) as session:
                setup = setups.setup_of(session, look.setup_id)
                if setup.state == SetupState.OPEN and intent.decline is not None:
                    setup.decline_code = intent.decline.reason
                if card is not None or is_over or intent.status == "canceled":
                    without = SetupState.CANCELED if is_tested else SetupState.EXPIRED
                    setups.close_setup(session, setup, card, without=without, at=look.at)
            if setup.state != SetupState.OPEN:
                log.info("card_setup", setup_id=setup.id, state=setup.state)
            return _outcome(setup)

    def _cancel(self, setup: CardSetup, setup_intent_id: str, at: datetime) -> SetupIntent:
        return self._gateway.cancel_setup_intent(
            setup_intent_id,
            key=f"card_setup:{setup.id}:cancel:1",
            op_id=setup.id,
            workflow_id=card_setup_workflow_id(setup.id),
            at=at,
        )

    @implements(steps.detach_card)
    def detach_card(self, order: CardRemovalOrder) -> None:
        with typed_failures():
            with transaction(self._engine) as session:
                card = session.get_one(PaymentMethod, order.payment_method_id)
            if card.removed_at is None or card.detached_at is not None:
                return
            self._gateway.detach_payment_method(
                order.payment_method_id,
                key=f"card:{order.payment_method_id}:detach:1",
                op_id=order.payment_method_id,
                at=order.at,
            )
            with transaction(self._engine) as session:
                card = session.get_one(PaymentMethod, order.payment_method_id)
                card.detached_at = card.detached_at or order.at


def _outcome(setup: CardSetup) -> CardSetupOutcome:
    return CardSetupOutcome(
        setup_id=setup.id,
        state=SetupState(setup.state),
        expires_at=setup.created_at + SETUP_TTL,
    )
