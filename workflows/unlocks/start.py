"""What the run of a purchase is asked for. It is started as every payment is
(`workflows/charges/start.py`)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from domain.charges.states import ChargeKind
from domain.ids import unlock_workflow_id
from workflows.charges.messages import ChargeOrder


class UnlockRow(Protocol):
    """A row of `unlocks`."""

    @property
    def id(self) -> str: ...
    @property
    def fan_id(self) -> str: ...
    @property
    def creator_id(self) -> str: ...
    @property
    def message_id(self) -> str | None: ...
    @property
    def item_id(self) -> str: ...
    @property
    def generation(self) -> int: ...
    @property
    def amount_minor(self) -> int: ...
    @property
    def currency(self) -> str: ...
    @property
    def payment_method_id(self) -> str: ...


def unlock_order(row: UnlockRow, *, at: datetime) -> ChargeOrder:
    """To charge the try that the row is at."""
    return ChargeOrder(
        kind=ChargeKind.UNLOCK,
        subject_id=row.id,
        step="charge",
        generation=row.generation,
        fan_id=row.fan_id,
        creator_id=row.creator_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        payment_method_id=row.payment_method_id,
        off_session=False,
        workflow_id=unlock_workflow_id(row.fan_id, row.item_id),
        at=at,
        description="Unlocked post" if row.message_id is None else "Unlocked message",
    )
