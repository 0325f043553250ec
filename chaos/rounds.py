"""One fault: prepare, begin, break, heal, wait, judge."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import httpx2

from chaos import doubles
from chaos.ends import Ends, await_ends
from chaos.families import FAMILIES
from chaos.faults.fault import Fault, NeverMet
from chaos.faults.processes import encoding_worker
from chaos.outcome import Outcome
from chaos.stage import Stage
from chaos.work import Family, Round
from devstack.client import JsonObject
from workflows.queues import Queue, queue_name

MOMENT_SECONDS = 40.0
ROUND_SECONDS = 240.0
"""For all but the wait for the ends: a round is never without an end."""
PREPARE_SECONDS = 100.0
SPREAD_SECONDS = 0.5
"""Over which the work of a round begins, so that the fault meets it before, in and after."""
READY_SECONDS = 60.0
SETTLE_SECONDS = 20.0
POLL_SECONDS = 0.2


class Known:
    """What was found in rounds before: it is counted once."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def new(self, found: Sequence[str]) -> list[str]:
        fresh = [each for each in found if each not in self._seen]
        self._seen.update(fresh)
        return fresh


@dataclass
class Prepared:
    """A round that can begin."""

    fault: Fault
    round_: Round
    families: Sequence[Family]
    seconds: float = 0.0
    error: Exception | None = None


async def play_all(
    stage: Stage, faults: Sequence[Fault], names: Sequence[str], *, seed: int
) -> AsyncIterator[Outcome]:
    """Play one fault after the other. What a round needs is made while the one before it recovers,
    once that is healed."""
    known = Known()

    def prepare(number: int, suffix: str = "") -> Awaitable[Prepared | None]:
        return _prepared(stage, faults, number, names, seed=seed, suffix=suffix)

    prepared = await prepare(0)
    for number in range(1, len(faults) + 1):
        assert prepared is not None
        begun = time.monotonic()
        coming = Ahead(lambda number=number: prepare(number))  # type: ignore[misc]
        outcome = await _play_bounded(prepared, known, coming)
        prepared = await coming.ready()
        if prepared is not None and prepared.error is not None:
            # Something was away still; now nothing is.
            prepared = await prepare(number, suffix="-again")
        yield replace(outcome, seconds=round(time.monotonic() - begun, 1))


class Ahead:
    """The next round's preparation: begun once, by whoever is first."""

    def __init__(self, prepare: Callable[[], Awaitable[Prepared | None]]) -> None:
        self._prepare = prepare
        self._task: asyncio.Task[Prepared | None] | None = None

    def begin(self) -> None:
        if self._task is None:
            self._task = asyncio.ensure_future(self._prepare())

    async def ready(self) -> Prepared | None:
        """None: it was the last round."""
        self.begin()
        assert self._task is not None
        return await self._task


async def _prepared(
    stage: Stage,
    faults: Sequence[Fault],
    number: int,
    names: Sequence[str],
    *,
    seed: int,
    suffix: str,
) -> Prepared | None:
    if number == len(faults):
        return None
    fault, begun = faults[number], time.monotonic()
    dice = random.Random(f"{seed} {fault.name}")
    round_ = Round(stage, f"{number + 1:02d}{suffix}", dice, frozenset(names))
    made = Prepared(fault, round_, [FAMILIES[name](round_) for name in names])
    try:
        async with asyncio.timeout(PREPARE_SECONDS):
            await asyncio.gather(*(family.prepare() for family in made.families))
    except Exception as error:  # Told as the round's own; the other rounds are to be played.
        made.error = error
    made.seconds = time.monotonic() - begun
    return made


async def _play_bounded(prepared: Prepared, known: Known, coming: Ahead) -> Outcome:
    fault, round_ = prepared.fault, prepared.round_
    try:
        if prepared.error is not None:
            raise prepared.error
        async with asyncio.timeout(ROUND_SECONDS + fault.deadline_seconds):
            outcome = await _play(prepared, known, coming)
        return replace(outcome, prepared_seconds=round(prepared.seconds, 1))
    except Exception as error:  # Whatever it is, the other rounds are to be played.
        # It may not have been injected yet.
        with contextlib.suppress(OSError, NeverMet):
            await fault.heal(round_)
        why = f"the round broke off: {type(error).__name__}: {error}"
        return Outcome(fault.name, [], len(round_.works), 0, 0, 0.0, unanswered=[why])


async def _play(prepared: Prepared, known: Known, coming: Ahead) -> Outcome:
    """Work of the families, the fault in the middle of it, and what came of both."""
    fault, round_, stage = prepared.fault, prepared.round_, prepared.round_.stage
    begun = asyncio.gather(
        *(_begin(family, round_) for family in prepared.families), return_exceptions=True
    )
    await _the_moment(round_)
    await fault.inject(round_)
    await asyncio.sleep(fault.lasts_seconds)
    # What has to start again does so within the time to recover.
    healed_at = time.monotonic()
    await fault.heal(round_)
    back = asyncio.create_task(_answers_again(stage, healed_at))
    refused = [str(error) for error in await begun if isinstance(error, BaseException)]
    api_seconds = await back
    if api_seconds >= READY_SECONDS:
        refused.append(f"the API was not ready again after {READY_SECONDS:.0f} s")
    coming.begin()
    ends = await await_ends(
        stage.temporal,
        round_.works,
        queue=queue_name(Queue.WORKFLOWS, prefix=stage.settings.task_queue_prefix),
        seconds=fault.deadline_seconds,
    )
    # What is being made is not settled.
    await coming.ready()
    found = await _settled(stage, round_)
    await _stop_waiting_for_timers(stage)
    return _judged(fault, round_, ends, known.new(found), refused, healed_at, api_seconds)


async def _begin(family: Family, round_: Round) -> None:
    if family.name != "media":
        # What takes long is under way before.
        await _encode_is_under_way(round_)
        await asyncio.sleep(round_.dice.uniform(0, SPREAD_SECONDS))
    await family.begin()


async def _encode_is_under_way(round_: Round) -> None:
    if "media" in round_.families:
        deadline = time.monotonic() + MOMENT_SECONDS
        while await encoding_worker(round_) is None:
            if time.monotonic() > deadline:
                raise TimeoutError("no encode was under way in all that time")
            await asyncio.sleep(POLL_SECONDS)


async def _the_moment(round_: Round) -> None:
    """Once the encode is under way and something else was acknowledged."""
    await _encode_is_under_way(round_)
    others = [name for name in round_.families if name != "media"]
    waiting = [asyncio.create_task(round_.event(name).wait()) for name in others]
    if waiting:
        done, pending = await asyncio.wait(
            waiting, timeout=MOMENT_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        for task in pending:
            task.cancel()
        if not done:
            raise TimeoutError("nothing was acknowledged in all that time")


async def _answers_again(stage: Stage, since: float) -> float:
    """Seconds until the API says that it has all it needs."""
    async with httpx2.AsyncClient(timeout=5, trust_env=False) as client:
        while time.monotonic() - since < READY_SECONDS:
            try:
                answer = await client.get(f"{stage.settings.api_public_url}/readyz")
                body: JsonObject = answer.json()
                if answer.status_code == 200 and body["status"] == "ok":
                    break
            except (httpx2.HTTPError, ValueError):
                pass
            await asyncio.sleep(POLL_SECONDS)
    return time.monotonic() - since


async def _settled(stage: Stage, round_: Round) -> list[str]:
    """What is wrong where all should have settled, looked at until nothing is or time is over:
    some of it is only late."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        found = await asyncio.to_thread(doubles.broken_rows, stage.engine)
        found += await asyncio.to_thread(doubles.unfinished_rows, stage.engine)
        if any(FAMILIES[name].moves_money for name in round_.families):
            found += await doubles.at_stripe(stage)
        found += await doubles.stray_objects(stage, round_.media_ids)
        if not found or time.monotonic() > deadline:
            break
        await asyncio.sleep(1)
    twice, repeated = await doubles.mails(stage)
    round_.notes += [f"{each}, as may be" for each in repeated]
    return found + twice


async def _stop_waiting_for_timers(stage: Stage) -> None:
    """A reconciliation that would look again in an hour would keep the next one from beginning."""
    query = "WorkflowType = 'Reconcile' AND ExecutionStatus = 'Running'"
    async for run in stage.temporal.list_workflows(query):
        await stage.temporal.get_workflow_handle(run.id).cancel()


def _judged(
    fault: Fault,
    round_: Round,
    ends: Ends,
    doubled: list[str],
    unanswered: list[str],
    healed_at: float,
    api_seconds: float,
) -> Outcome:
    lost = list(ends.lost)
    if not fault.asks_operator:
        lost += [f"{each} waited for an operator" for each in ends.operator]
    seconds = max(0.0, ends.last_at - healed_at)
    return Outcome(
        fault=fault.name,
        work=sorted({work.family for work in round_.works}),
        acknowledged=len(round_.works),
        lost=len(lost),
        doubled=len(doubled),
        recovery_seconds=round(seconds, 1),
        api_seconds=round(api_seconds, 1),
        operator=len(ends.operator),
        unanswered=unanswered,
        lost_work=lost,
        doubled_work=doubled,
        notes=round_.notes,
    )
