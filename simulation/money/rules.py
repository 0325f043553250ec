"""What holds for money and for what it buys: at every moment, and once all has settled."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from sqlalchemy import text
from temporalio.api.failure.v1 import Failure
from temporalio.client import WorkflowExecutionStatus

from devstack.rules import periods
from devstack.rules.broken import Break, broken_among, listed
from devstack.rules.ledger import broken_rules, held_for_us, posted_by_source
from devstack.rules.purchases import BOUGHT, ENDED
from devstack.stripe.core import LocalStripe
from devstack.stripe.errors import Obj
from domain.ids import refund_workflow_id
from infra.db import transaction
from simulation.money.parts import Parts
from simulation.temporal import Run
from workflows.attributes import NEEDS_ATTENTION

MADE_ONCE = ("payment_intent", "refund", "transfer", "payout")
"""What is made at Stripe for one row of ours, by `metadata.op_id`."""


def always_broken(parts: Parts) -> list[Break]:
    with transaction(parts.engine) as session:
        broken = broken_rules(session) + broken_among(session, BOUGHT | periods.BOUGHT)
        broken += _doubled(parts.way.stripe)
        broken += _ahead(posted_by_source(session), parts.way.stripe)
        twice = periods.charged_twice(session, parts.way.stripe)
        broken += [Break("nothing is charged twice", listed(twice))] if twice else []
    return broken + _failed_runs(parts)


def settled_broken(parts: Parts) -> list[Break]:
    with transaction(parts.engine) as session:
        broken = broken_among(session, ENDED | periods.SETTLED)
        unknown = periods.unknown_cards(session, parts.way.stripe)
        broken += [Break("Stripe keeps the cards that fans see", listed(unknown))] * bool(unknown)
        broken += _differing(held_for_us(session), parts.way.stripe)
    return broken + _waiting_runs(parts)


def _doubled(stripe: LocalStripe) -> list[Break]:
    """Of declined tries there may be several; each is a generation, and has an id of its own."""
    doubled = []
    for kind in MADE_ONCE:
        made: Counter[str] = Counter()
        for _, thing in stripe.scope().world.store.each(kind):
            op_id = thing["metadata"].get("op_id")
            if op_id is not None and thing.get("status") not in ("canceled", "failed"):
                made[op_id] += 1
        doubled += [f"{kind} of {op_id}: {count}" for op_id, count in made.items() if count > 1]
    return [Break("nothing is made twice at Stripe", "\n".join(doubled))] if doubled else []


def charges_by_state(parts: Parts) -> dict[str, int]:
    with transaction(parts.engine) as session:
        rows = session.execute(text("SELECT state, count(*) FROM charges GROUP BY state"))
        return {state: int(count) for state, count in rows}


def drift_minor(parts: Parts) -> int:
    """By how much the ledger and Stripe differ, source by source, without regard to the sign."""
    with transaction(parts.engine) as session:
        held = held_for_us(session)
    there = _there(parts.way.stripe)
    return sum(abs(held.get(ref, 0) - there.get(ref, 0)) for ref in held.keys() | there.keys())


def _booked(stripe: LocalStripe) -> Iterator[Obj]:
    """The balance transactions of what the ledger knows by its source."""
    for each in stripe.scope().all("balance_transaction"):
        if each["type"] not in ("payout", "payout_failure", "topup"):
            yield each


def _there(stripe: LocalStripe) -> dict[str, int]:
    there: defaultdict[str, int] = defaultdict(int)
    for each in _booked(stripe):
        there[each["source"]] += each["net"]
    return there


def _ahead(posted: dict[str, tuple[int, int]], stripe: LocalStripe) -> list[Break]:
    """What is posted twice is seen at once, not only when all has settled."""
    amounts: Counter[str] = Counter()
    fees: Counter[str] = Counter()
    for each in _booked(stripe):
        amounts[each["source"]] += 1
        fees[each["source"]] += each["fee"] != 0
    facts = [
        f"{ref}: {posted[ref]} amounts and fees posted, {(amounts[ref], fees[ref])} booked"
        for ref in sorted(posted)
        if posted[ref][0] > amounts[ref] or posted[ref][1] > fees[ref]
    ]
    return [Break("nothing is posted that Stripe has not booked", "\n".join(facts))] * bool(facts)


def _differing(held: dict[str, int], stripe: LocalStripe) -> list[Break]:
    there = _there(stripe)
    facts = [
        f"{ref}: {held.get(ref, 0)} in the ledger, {there.get(ref, 0)} at Stripe"
        for ref in sorted(held.keys() | there.keys())
        if held.get(ref, 0) != there.get(ref, 0)
    ]
    return [Break("the ledger equals Stripe's balance", "\n".join(facts))] if facts else []


def _failed_runs(parts: Parts) -> list[Break]:
    failed = [
        f"{run.workflow_id} {run.status.name}: {_innermost(run.failure)}"
        for run in parts.temporal.runs
        if run.status in (WorkflowExecutionStatus.FAILED, WorkflowExecutionStatus.TIMED_OUT)
    ]
    return [Break("no run fails", "\n".join(failed))] if failed else []


def _innermost(failure: Failure | None) -> str:
    while failure is not None and failure.HasField("cause"):
        failure = failure.cause
    return f"{failure.message}\n{failure.stack_trace}" if failure is not None else ""


def _waiting_runs(parts: Parts) -> list[Break]:
    """But for those who have to pay a fan in another way, since the bank sent a refund back."""
    with transaction(parts.engine) as session:
        sent_back = session.scalars(text("SELECT id::text FROM refunds WHERE state = 'failed'"))
        expected = {refund_workflow_id(refund_id) for refund_id in sent_back}
    waiting = [run.workflow_id for run in runs_waiting(parts) if run.workflow_id not in expected]
    return (
        [Break("no run waits for an operator who has been there", "\n".join(waiting))]
        if waiting
        else []
    )


def runs_waiting(parts: Parts) -> list[Run]:
    """Those that show operators that they need attention."""
    return [
        run
        for run in parts.temporal.runs
        if run.is_open
        and (flag := run.search_attributes.get(NEEDS_ATTENTION.name)) is not None
        and flag.data == b"true"
    ]
