"""What the run of a tip is asked for. It is started as every payment is
(`workflows/charges/start.py`)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from domain.charges.states import ChargeKind
from domain.ids import tip_workflow_id
from workflows.charges.messages import ChargeOrder


class TipRow(Protocol):
    """A row of `tips`."""

    @property
    def id(self) -> str: ...
    @property
    def fan_id(self) -> str: ...
    @property
    def creator_id(self) -> str: ...
    @property
    def amount_minor(self) -> int: ...
    @property
    def currency(self) -> str: ...
    @property
    def payment_method_id(self) -> str: ...


def tip_order(row: TipRow, *, at: datetime) -> ChargeOrder:
    """To charge a tip; it is tried once, another try is another tip."""
    return ChargeOrder(
        kind=ChargeKind.TIP,
        subject_id=row.id,
        step="charge",
        generation=1,
        fan_id=row.fan_id,
        creator_id=row.creator_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        payment_method_id=row.payment_method_id,
        off_session=False,
        workflow_id=tip_workflow_id(row.id),
        at=at,
        description="Tip",
    )
