"""What runs that pay once ask for: unlocks, tips and gifts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine

from activities.charges.taking import ChargeTaker
from activities.errors import typed_failures
from domain.charges.states import ChargeKind
from infra.db import transaction
from infra.models import Charge
from infra.queries import charges
from infra.queries.charges.recording import Effect
from infra.queries.gifts import effects as gifts
from infra.queries.tips import effects as tips
from infra.queries.unlocks import effects as unlocks
from infra.settings import Settings
from infra.stripe.gateway import StripeGateway
from workflows.charges import steps
from workflows.charges.messages import ChargeLook, ChargeOrder, ChargeOutcome
from workflows.declarations import implements
from workflows.queues import Queue

FOLLOWERS: dict[ChargeKind, Effect] = {
    ChargeKind.UNLOCK: unlocks.follow_charge,
    ChargeKind.TIP: tips.follow_charge,
    ChargeKind.GIFT: gifts.follow_charge,
}
"""What each news of a charge does to the thing that it is for."""


class ChargeActivities:
    def __init__(self, settings: Settings, engine: Engine, gateway: StripeGateway) -> None:
        self._engine = engine
        self._taker = ChargeTaker(settings, engine, gateway)

    def on_queues(self) -> dict[Queue, list[Callable[..., Any]]]:
        return {Queue.MONEY: [self.take_charge, self.look_at_charge, self.give_up_charge]}

    @implements(steps.take_charge)
    def take_charge(self, order: ChargeOrder) -> ChargeOutcome:
        with typed_failures():
            return self._taker.take(order, FOLLOWERS[order.kind])

    @implements(steps.look_at_charge)
    def look_at_charge(self, look: ChargeLook) -> ChargeOutcome:
        with typed_failures():
            follow = self._follower_of(look.charge_id)
            return self._taker.look(look.charge_id, look.at, follow)

    @implements(steps.give_up_charge)
    def give_up_charge(self, look: ChargeLook) -> ChargeOutcome:
        with typed_failures():
            follow = self._follower_of(look.charge_id)
            return self._taker.cancel(look.charge_id, look.at, follow)

    def _follower_of(self, charge_id: str) -> Effect:
        with transaction(self._engine) as session:
            charge: Charge = charges.charge_of(session, charge_id, lock=False)
        return FOLLOWERS[ChargeKind(charge.kind)]
