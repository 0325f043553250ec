"""`stripe_calls`: each order is written down and committed before it is sent.

Every method is a transaction of its own and short; none is open while Stripe is asked, and none
takes part in the caller's.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.errors import StepBlocked
from domain.stripe_calls import KEY_LENGTH_MAX, CallState, Repeat, repeat_of, sent_key
from infra.db import transaction
from infra.models import StripeCall

CLOCKS_APART = timedelta(hours=1)
"""How far ours and Stripe's may be from each other when an object is looked for by its time."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sent, and by whom. `at`: the time that the order carries."""

    key: str
    op_id: str
    path: str
    params: dict[str, Any]
    account: str | None
    at: datetime
    workflow_id: str | None = None

    @property
    def request_hash(self) -> bytes:
        body = json.dumps([self.account, self.path, self.params], sort_keys=True)
        return hashlib.sha256(body.encode()).digest()


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an order is carried out this time. `how` is SEND, LOOK_UP or READ."""

    how: Repeat
    key: str
    generation: int
    object_id: str | None
    since: datetime
    """From when on, by Stripe's clock, what the order made may have been made."""

    @property
    def sent_key(self) -> str:
        return sent_key(self.key, self.generation)


class CallJournal:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, order: Order) -> Attempt:
        """Write the order down, or find out how it stands.

        Raises:
            StepBlocked: `stripe_key_missing` (or too long), or `stripe_key_reused`: the key
                belongs to another request.
        """
        if not 0 < len(order.key) <= KEY_LENGTH_MAX:
            raise StepBlocked(
                f"An order to Stripe has a key of 1 to {KEY_LENGTH_MAX} characters.",
                code="stripe_key_missing",
                path=order.path,
            )
        with transaction(self._engine) as session:
            first = session.scalar(_new_row(order))
            if first is not None:
                return _attempt(first, Repeat.SEND)
            row, now = _locked(session, order)
            if row.request_hash != order.request_hash:
                raise StepBlocked(
                    "This key belongs to another request to Stripe.",
                    code="stripe_key_reused",
                    key=order.key,
                    path=order.path,
                )
            how = repeat_of(CallState(row.state), _age(row, order, now))
            if how is Repeat.SEND_ANEW:
                _next_generation(row, order, now)
                how = Repeat.SEND
            elif how is Repeat.SEND:
                _sent_again(row, order)
            return _attempt(row, how)

    def begin_anew(self, order: Order, *, generation: int) -> Attempt:
        """Go on to the next generation, since it is certain that this one did nothing.

        Whoever comes second finds the next one begun, and sends the same key.
        """
        with transaction(self._engine) as session:
            row, now = _locked(session, order)
            if row.generation == generation:
                _next_generation(row, order, now)
            else:
                _sent_again(row, order)
            return _attempt(row, Repeat.SEND)

    def note_done(self, attempt: Attempt, object_id: str | None) -> None:
        self._note(attempt, state=CallState.DONE, object_id=object_id, error_code=None)

    def note_unknown(self, attempt: Attempt, error_code: str) -> None:
        self._note(attempt, state=CallState.UNKNOWN, error_code=error_code)

    def note_failed(self, attempt: Attempt, error_code: str) -> None:
        self._note(attempt, state=CallState.FAILED, error_code=error_code)

    def _note(self, attempt: Attempt, **values: object) -> None:
        """What is done stays done, whatever a second one hears that was sent beside it.

        Where this is lost, the order is given again with the same key and gets the same answer.
        """
        with transaction(self._engine, durable=False) as session:
            session.execute(
                update(StripeCall)
                .where(
                    StripeCall.key == attempt.key,
                    StripeCall.generation == attempt.generation,
                    StripeCall.state != CallState.DONE,
                )
                .values(**values)
            )


def _new_row(order: Order) -> Any:
    """Returns the row where the order is new."""
    return (
        insert(StripeCall)
        .values(
            key=order.key,
            op_id=order.op_id,
            request_hash=order.request_hash,
            account=order.account,
            path=order.path,
            state=CallState.INTENT,
            attempts=1,
            first_sent_at=order.at,
            last_sent_at=order.at,
            workflow_id=order.workflow_id,
        )
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(StripeCall)
    )


def _locked(session: Session, order: Order) -> tuple[StripeCall, datetime]:
    """The row, and the database's clock."""
    row, now = session.execute(
        select(StripeCall, func.clock_timestamp())
        .where(StripeCall.key == order.key)
        .with_for_update()
    ).one()
    return row, now


def _age(row: StripeCall, order: Order, now: datetime) -> timedelta:
    """By the time of orders or by the clock, whichever is more. So neither an order that
    carries an old time nor a clock that stands still makes a key look younger than it is to
    Stripe."""
    return max(order.at - row.first_sent_at, now - row.wall_sent_at)


def _sent_again(row: StripeCall, order: Order) -> None:
    row.attempts += 1
    row.last_sent_at = max(row.last_sent_at, order.at)


def _next_generation(row: StripeCall, order: Order, now: datetime) -> None:
    row.generation += 1
    row.state = CallState.INTENT
    row.object_id = None
    row.attempts += 1
    row.first_sent_at = row.last_sent_at = order.at
    row.wall_sent_at = now


def _attempt(row: StripeCall, how: Repeat) -> Attempt:
    return Attempt(
        how=how,
        key=row.key,
        generation=row.generation,
        object_id=row.object_id,
        since=min(row.first_sent_at, row.wall_sent_at) - CLOCKS_APART,
    )
