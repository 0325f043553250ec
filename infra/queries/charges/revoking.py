"""Taking back what was bought, once the money went back.

Each slice says in a function of its own what it takes. That function runs in the transaction
that posts the refund or the lost dispute, so that nobody keeps what they did not pay for.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from domain.charges.states import ChargeKind
from infra.models import Charge
from infra.queries.gifts import effects as gifts
from infra.queries.subscriptions import ending as subscriptions
from infra.queries.tips import effects as tips
from infra.queries.unlocks import effects as unlocks


class Revoker(Protocol):
    def __call__(self, session: Session, charge: Charge, *, at: datetime, why: str) -> None: ...


REVOKERS: dict[ChargeKind, Revoker] = {
    ChargeKind.UNLOCK: unlocks.take_back,
    ChargeKind.TIP: tips.take_back,
    ChargeKind.GIFT: gifts.take_back,
    ChargeKind.SUBSCRIPTION: subscriptions.take_back,
}


def revoke_for(session: Session, charge: Charge, *, at: datetime, why: str) -> None:
    """End what the locked charge paid for. Again it changes nothing.

    Args:
        why: `refunded` or `disputed`.
    """
    REVOKERS[ChargeKind(charge.kind)](session, charge, at=at, why=why)
