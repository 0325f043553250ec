"""Processes that are killed, ended or paused."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence

from temporalio.service import RPCError

from chaos.apps import MEDIA_WORKERS, WORKERS
from chaos.faults.fault import Act, Fault, nothing
from chaos.work import Round


async def encoding_worker(round_: Round) -> str | None:
    """The media worker that encodes the round's video, once a segment is stored and the server
    knows; None before."""
    client = round_.stage.temporal
    for media_id in round_.media_ids:
        try:
            description = await client.get_workflow_handle(f"ingest:{media_id}").describe()
        except RPCError:
            continue  # Nobody has begun it yet.
        for pending in description.raw_description.pending_activities:
            if pending.activity_type.name == "encode_video":
                told = await client.data_converter.decode(pending.heartbeat_details.payloads)
                if told and any(told[0]["by_rung"].values()):
                    pid = pending.last_worker_identity.partition("@")[0]
                    return _named(round_, pid)
    return None


def _named(round_: Round, pid: str) -> str | None:
    for name in MEDIA_WORKERS:
        if str(round_.stage.stack.pid(name)) == pid:
            return name
    return None


async def start_again(round_: Round) -> None:
    """Every part and every process that is not there."""
    stack = round_.stage.stack
    await asyncio.to_thread(stack.start)
    await asyncio.to_thread(stack.start_apps)


def kill(*names: str) -> Act:
    async def act(round_: Round) -> None:
        for name in names:
            round_.stage.stack.kill(name)

    return act


async def kill_encoder(round_: Round) -> None:
    """Whoever encodes; where no video is under way, the first."""
    round_.stage.stack.kill(await encoding_worker(round_) or MEDIA_WORKERS[0])


async def stop_encoder(round_: Round) -> None:
    name = await encoding_worker(round_) or MEDIA_WORKERS[0]
    round_.stage.stack.send_signal(name, signal.SIGSTOP)


async def end_each_worker(round_: Round) -> None:
    """SIGTERM to one after the other; each is replaced before the next goes."""
    stack = round_.stage.stack
    for name in WORKERS:
        await asyncio.to_thread(stack.end, name)
        await asyncio.to_thread(stack.start_apps, [name])


def pause(*names: str) -> Act:
    async def act(round_: Round) -> None:
        for name in names:
            round_.stage.stack.send_signal(name, signal.SIGSTOP)

    return act


def go_on(*names: str) -> Act:
    async def act(round_: Round) -> None:
        for name in names:
            round_.stage.stack.send_signal(name, signal.SIGCONT)

    return act


def killed(name: str, *parts: str, **options: float) -> Fault:
    return Fault(name, f"kill -9: {', '.join(parts)}", kill(*parts), start_again, **options)  # type: ignore[arg-type]


PAUSE_SECONDS = 18.0
"""Longer than an encode may be silent."""
UNHEARD_SECONDS = 150.0
"""A step without heartbeats whose worker was killed is missed after two minutes."""
UNTOLD_SECONDS = 170.0
"""What was accepted while Temporal was away, or by an API that was killed before it began the run,
is begun by the sweeps: a minute or two later, lest they race with whoever accepted it."""

FAULTS: Sequence[Fault] = (
    Fault(
        "kill-media-worker",
        "kill -9 of a media worker in the middle of a transcode",
        kill_encoder,
        start_again,
    ),
    killed("kill-every-worker", *WORKERS, deadline_seconds=UNHEARD_SECONDS),
    killed("kill-api", "api", deadline_seconds=UNTOLD_SECONDS),
    killed("kill-valkey", "valkey"),
    killed("kill-postgres", "postgres"),
    killed("kill-temporal", "temporal", deadline_seconds=UNTOLD_SECONDS),
    killed("kill-clamd", "clamd"),
    killed("kill-s3", "s3"),
    Fault(
        "end-each-worker",
        "SIGTERM to each worker in turn, as a deployment does",
        end_each_worker,
        nothing,
        lasts_seconds=0,
    ),
    Fault(
        "pause-media-worker",
        f"SIGSTOP of the media worker that encodes, for {PAUSE_SECONDS:.0f} s",
        stop_encoder,
        go_on(*MEDIA_WORKERS),
        lasts_seconds=PAUSE_SECONDS,
    ),
    Fault(
        "pause-postgres",
        f"SIGSTOP of Postgres, for {PAUSE_SECONDS:.0f} s",
        pause("postgres"),
        go_on("postgres"),
        lasts_seconds=PAUSE_SECONDS,
    ),
)
