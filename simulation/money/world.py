"""Time, work, deaths and faults, around what fans and creators do (`simulation/money/acts.py`)."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, cast

from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from devstack.rules.broken import Break
from devstack.stripe.webhooks import Delivery
from domain.errors import FansworldError
from domain.ids import sweep_workflow_id, uuid7_from
from infra.ids import ids_drawn_by
from simulation.money.acts import ACTS, SENT_AGAIN
from simulation.money.parts import Parts
from simulation.money.picks import Act, Picks, drawn
from simulation.money.rules import (
    always_broken,
    charges_by_state,
    drift_minor,
    runs_waiting,
    settled_broken,
)
from simulation.money.stripe import FAULTS
from simulation.money.subscribing import next_due
from simulation.money.webhooks import hear, unheard
from simulation.temporal import Death, Lost
from simulation.worlds import Json, Step
from workflows.attention import OperatorChoice
from workflows.operated import Operated
from workflows.queues import Queue, queue_name
from workflows.runner import SWEEPS

ROUNDS = tuple(timedelta(hours=hours) for hours in (1, 5, 6, 12, 24, 24, 48, 1, 1))
"""Of settling; in each of them Stripe, the schedule and an operator do what they can. After five
days nothing of what was begun may be under way: a fan has a day to confirm, a refund and a payout
take two, and Stripe tries for three to bring a webhook. The last two are for what a renewal begins
in the longest one."""
ELSEWHERE = ("accounts", "media", "posts")
"""Sweeps of other slices than money's."""
PIECES_MAX = 300
"""Of work while time passes; then it jumps."""

WORLDLY = {"work": 40, "pass": 10, "jump": 4, "renewal": 6, "webhook": 14, "sweep": 2, "again": 6}
"""What happens to the platform, and how often next to what people do."""

WEBHOOKS = {"heard": 4, "heard twice": 2, "unanswered": 2, "unheard": 1, "lost": 1}
"""What becomes of a delivery, and how often. `unanswered`: it was heard, and Stripe, which did not
learn of that, brings it again later; `unheard`: so it does; `lost`: it never comes again."""

EXPECTED = (
    FansworldError,
    RPCError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
"""What a request may end with. The route would answer it with a status."""


@dataclass
class MoneyWorld:
    parts: Parts
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    acts: Mapping[str, tuple[Act, int]] = field(default_factory=lambda: ACTS)
    """What people do here."""
    requests: list[asyncio.Task[None]] = field(default_factory=list)
    """Requests of fans that wait for a run."""

    def __post_init__(self) -> None:
        self._entropy = Random(f"ids of {self.seed}")
        self._lost: Lost | None = None
        self._sent: list[Step] = []
        """What clients may send again."""
        self._touched = True
        """Whether anybody may have written to the database since the rules were checked: turns of
        workflows write nothing."""
        self.parts.temporal.service.lose = self._lose_call

    # --- ids and calls ------------------------------------------------------------------------

    def new_id(self) -> str:
        now_ms = int(self.parts.now.timestamp() * 1000)
        return uuid7_from(unix_ms=now_ms, entropy=self._entropy.randbytes(10))

    def _lose_call(self, rpc: str) -> Lost | None:
        lost, self._lost = self._lost, None
        if lost is not None:
            self.counts[f"temporal: {lost.value} lost"] += 1
        del rpc
        return lost

    # --- steps --------------------------------------------------------------------------------

    async def offer(self, dice: Random) -> Step:
        weights = WORLDLY | {act: weight for act, (_, weight) in self.acts.items()}
        [act] = dice.choices(list(weights), list(weights.values()))
        if act in self.acts:
            return Step(act, drawn(dice))
        data: dict[str, Json] = {"pick": dice.randrange(1 << 16)}
        match act:
            case "work" if dice.random() < 0.3:
                if dice.random() < 0.5:
                    data["death"] = dice.choice(list(Death)).value
                else:
                    data["fault"] = dice.choice(FAULTS)
                    data["after"] = dice.choice([0, 0, 0, 1, 2])
            case "pass":
                data["minutes"] = dice.choice([1, 5, 30, 180])
            case "jump":
                data["hours"] = dice.choice([1, 12, 24, 48, 24 * 7, 24 * 7, 24 * 31])
            case "webhook":
                [data["how"]] = dice.choices(list(WEBHOOKS), list(WEBHOOKS.values()))
            case "again" if dice.random() < 0.5:
                data["pick"] = 0
        return Step(act, data)

    async def take(self, step: Step) -> None:
        self._touched |= step.act != "work"
        with ids_drawn_by(self.new_id):
            match step.act:
                case "work":
                    await self._work(step.data)
                case "pass":
                    await self._pass(timedelta(minutes=cast(int, step.data["minutes"])))
                case "jump":
                    self.counts["jumps"] += 1
                    self.parts.temporal.jump(timedelta(hours=cast(int, step.data["hours"])))
                    self.parts.keep_time()
                case "renewal":
                    self._go_to_renewal()
                case "webhook":
                    await self._webhook(cast(int, step.data["pick"]), cast(str, step.data["how"]))
                case "sweep":
                    await self._sweep()
                case "again":
                    self._send_again(cast(int, step.data["pick"]))
                case act:
                    self._lost = Lost(step.data["lost"]) if "lost" in step.data else None
                    self.counts[act] += 1
                    self._let_in(step)
                    if act in SENT_AGAIN:
                        self._sent.append(step)
            await self._quiet()
            self._lost = None

    async def settle(self) -> None:
        """Every webhook is heard, every worker lives, operators are there, and time passes: until
        nothing is under way, or has been for too long."""
        self._touched = True
        self.parts.way.arm(None)
        with ids_drawn_by(self.new_id):
            for pause in ROUNDS:
                await self._hear_all()
                await self._sweep()
                await self._operate()
                await self._pass(pause)
                if not unheard(self.parts) and not settled_broken(self.parts):
                    break

    async def _operate(self) -> None:
        """An operator has every step that waits tried again: its cause is gone by now."""
        for run in runs_waiting(self.parts):
            handle = self.parts.temporal.client.get_workflow_handle(run.workflow_id)
            for step in await handle.query(Operated.waiting_steps):
                self.counts["steps that an operator had tried again"] += 1
                choice = OperatorChoice(step, "operator")
                await self.parts.temporal.drive(handle.execute_update(Operated.retry_step, choice))

    async def check(self, *, settled: bool) -> list[Break]:
        broken = always_broken(self.parts) if self._touched else []
        self._touched = False
        if settled:
            for state, count in charges_by_state(self.parts).items():
                self.counts[f"charges {state}"] += count
            self.counts["drift_minor"] += drift_minor(self.parts)
        if settled and not broken:
            broken = settled_broken(self.parts)
        return [Break(each.rule, f"{each.facts}\n{self._troubles()}") for each in broken]

    def _troubles(self) -> str:
        """What went wrong most often on the way."""
        troubles = self.parts.temporal.desk.troubles.most_common(5)
        return "\n".join(f"{count} times {text[:300]}" for text, count in troubles)

    def digest(self) -> str:
        return self.parts.temporal.digest

    # --- work and time ------------------------------------------------------------------------

    async def _work(self, data: dict[str, Json]) -> None:
        ready = self.parts.temporal.ready()
        if not ready:
            return
        work = ready[cast(int, data["pick"]) % len(ready)]
        # A turn may let a request go on, which writes.
        self._touched |= work.task is not None or bool(self.requests)
        death = Death(data["death"]) if "death" in data else None
        if death is not None:
            self.counts[f"deaths {death.value} work"] += 1
        if "fault" in data:
            # It stays until somebody calls.
            self.parts.way.arm(cast(str, data["fault"]), cast(int, data["after"]))
        await self.parts.temporal.work(work, death)

    async def _pass(self, duration: timedelta) -> None:
        """Workers are at work meanwhile, as far as that goes in so many pieces."""
        clock, end = self.parts.temporal.clock, self.parts.now + duration
        pieces = 0
        while pieces < PIECES_MAX:
            ready = self.parts.temporal.ready()
            if ready:
                pieces += 1
                self.parts.keep_time()
                await self.parts.temporal.work(ready[0])
                await self._quiet()
                continue
            due = clock.next_due()
            if due is None or due > end:
                break
            clock.advance(due)
        clock.advance(max(end, clock.now))
        self.parts.keep_time()

    def _go_to_renewal(self) -> None:
        """With no worker there, to when the next subscription has to be seen to."""
        due = next_due(self.parts)
        if due is not None:
            self.counts["renewals"] += 1
            self.parts.temporal.jump(due - self.parts.now)
            self.parts.keep_time()

    async def _sweep(self) -> None:
        """What a schedule starts; a tick is dropped while the last one runs."""
        for sweep in SWEEPS:
            if sweep.kind not in ELSEWHERE:
                with suppress(WorkflowAlreadyStartedError):
                    await self.parts.temporal.client.start_workflow(
                        sweep.workflow,
                        id=sweep_workflow_id(sweep.kind),
                        task_queue=queue_name(Queue.WORKFLOWS, prefix=self.parts.queue_prefix),
                    )

    # --- webhooks -----------------------------------------------------------------------------

    async def hear(self, delivery: Delivery) -> int:
        """Take a delivery; returns the status that Stripe is answered with."""
        return await hear(self.parts, delivery)

    async def _webhook(self, pick: int, how: str) -> None:
        """Any of those that are due, in no order. The type is chosen first: what is told of most
        often, that something was made, is news to nobody."""
        self.parts.keep_time()
        stripe = self.parts.way.stripe
        by_type: defaultdict[str, list[Delivery]] = defaultdict(list)
        for delivery in stripe.due_deliveries():
            by_type[delivery.event_type].append(delivery)
        if not by_type:
            return
        self.counts[f"webhooks {how}"] += 1
        number, kind = divmod(pick, len(by_type))
        due = by_type[sorted(by_type)[kind]]
        delivery = due[number % len(due)]
        status = 200 if how == "lost" else 0
        for _ in range({"heard": 1, "heard twice": 2, "unanswered": 1}.get(how, 0)):
            status = await self.hear(delivery)
        stripe.delivered(delivery.id, 0 if how == "unanswered" else status)

    async def _hear_all(self) -> None:
        self.parts.keep_time()
        for delivery in self.parts.way.stripe.due_deliveries():
            status = await self.hear(delivery)
            self.parts.way.stripe.delivered(delivery.id, status)

    # --- requests -----------------------------------------------------------------------------

    def _let_in(self, step: Step) -> None:
        do, _ = self.acts[step.act]
        request = do(self.parts, Picks(step.data))
        self.requests.append(asyncio.create_task(self._answered(step.act, request)))

    def _send_again(self, back: int) -> None:
        """A request that was sent before, counted from the last: that one is often still waiting
        for the same run."""
        if self._sent:
            step = self._sent[-1 - back % len(self._sent)]
            self.counts[f"again {step.act}"] += 1
            self._let_in(step)

    async def _answered(self, act: str, request: Coroutine[Any, Any, None]) -> None:
        try:
            await request
        except EXPECTED as error:
            code = error.code if isinstance(error, FansworldError) else type(error).__name__
            self.counts[f"{act}: {code}"] += 1

    async def _quiet(self) -> None:
        """Until every request has its answer or waits for a run. They take turns only here, so
        that what happens first does not depend on how fast a socket is."""
        while len(self.requests) > len(self.parts.temporal.waiting):
            for task in [each for each in self.requests if each.done()]:
                self.requests.remove(task)
                task.result()
            await asyncio.sleep(0)
