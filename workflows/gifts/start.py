"""What the run of a gift is asked for. It is started as every payment is
(`workflows/charges/start.py`)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from domain.charges.states import ChargeKind
from domain.ids import gift_workflow_id
from workflows.charges.messages import ChargeOrder


class GiftRow(Protocol):
    """A row of `gifts` that is bought."""

    @property
    def id(self) -> str: ...
    @property
    def giver_id(self) -> str: ...
    @property
    def creator_id(self) -> str: ...
    @property
    def price_minor(self) -> int: ...
    @property
    def currency(self) -> str: ...
    @property
    def payment_method_id(self) -> str | None: ...


def gift_order(row: GiftRow, *, at: datetime) -> ChargeOrder:
    """To charge a gift to its giver; it is tried once, another try is another gift."""
    assert row.payment_method_id is not None, "what is bought is paid with a card"
    return ChargeOrder(
        kind=ChargeKind.GIFT,
        subject_id=row.id,
        step="charge",
        generation=1,
        fan_id=row.giver_id,
        creator_id=row.creator_id,
        amount_minor=row.price_minor,
        currency=row.currency,
        payment_method_id=row.payment_method_id,
        off_session=False,
        workflow_id=gift_workflow_id(row.id),
        at=at,
        description="Gift",
    )
