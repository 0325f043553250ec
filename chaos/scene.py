"""The stack that everything is played on: started, furnished, and gone afterwards."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from chaos.apps import make_apps
from chaos.faults.disk import FREE_MIB_MIN, MIB, small_disk, unmount
from chaos.stage import Stage
from devstack.demo import material
from devstack.demo.browser import Browser
from devstack.mailbox import Mailbox
from devstack.part import Part
from devstack.people import ensure_person
from devstack.running import running_stack
from devstack.stack import Stack, settings_from
from domain.accounts import Role
from infra.db import make_engine
from infra.settings import Settings
from infra.storage import Storage
from infra.temporal import connect

SETTINGS = {
    # What nobody began is looked for after seconds, not minutes.
    "SWEEP_INTERVAL_SECONDS": "10",
    # A request that died with its process is free again within the clients' patience.
    "IDEMPOTENCY_LOCK_SECONDS": "15",
    "STRIPE_TIMEOUT_SECONDS": "5",
    # Its people know the creators.
    "PAYOUT_REVIEW_FIRST": "false",
    # An encode that is short, and long enough to be met in the middle.
    "VIDEO_LADDER_SHORT_SIDE_MAX": "480",
    "VIDEO_THREADS": "1",
    "MODERATION_FRAMES_MAX": "6",
    "SCRATCH_FREE_BYTES_MIN": str(FREE_MIB_MIN * MIB),
    "WORKER_GRACEFUL_SHUTDOWN_SECONDS": "10",
}
FUNDS_MINOR = 1_000_000_00
"""The platform's own money at Stripe: sales of today could not be transferred for days."""
FUNDS_DAYS = 3
SCRATCH = "scratch"


@dataclass(frozen=True)
class Setup:
    """What a run is played on."""

    apps: Sequence[Part] = field(default_factory=make_apps)
    environ: Mapping[str, str] = field(default_factory=dict)
    """Settings beside ours; a service that one of them names is used as it is."""


class UnderWay(Exception):
    """Another run uses the directory."""


@asynccontextmanager
async def open_stage(
    run_dir: Path, console: Console, setup: Setup, *, with_money: bool
) -> AsyncIterator[Stage]:
    """A stack on an empty directory of its own, ended and removed afterwards.

    Raises:
        UnderWay: another run is on it.
        StackFailed, PartFailed, NoFreePort: it can't be started.
    """
    environ = {**SETTINGS, **setup.environ}
    with _alone(run_dir.with_suffix(".lock")):
        # An earlier run may have been killed.
        await asyncio.to_thread(Stack(run_dir, environ={}, apps=setup.apps).stop)
        unmount(run_dir / SCRATCH)
        shutil.rmtree(run_dir, ignore_errors=True)
        try:
            with (
                small_disk(run_dir / SCRATCH),
                running_stack(run_dir, console, environ=environ, apps=setup.apps, alone=True) as (
                    stack,
                    found,
                ),
            ):
                settings = settings_from({**environ, **found})
                async with _furnished(stack, settings, console, with_money=with_money) as stage:
                    yield stage
        finally:
            _keep_logs(run_dir)
            shutil.rmtree(run_dir, ignore_errors=True)


@asynccontextmanager
async def _furnished(
    stack: Stack, settings: Settings, console: Console, *, with_money: bool
) -> AsyncIterator[Stage]:
    """With staff, with funds at Stripe, and with a video to send."""
    engine = make_engine(settings, name="chaos")
    storage = Storage(settings)
    try:
        with tempfile.TemporaryDirectory() as folder:
            video = material.long_video(Path(folder))
        staff = await asyncio.to_thread(ensure_person, settings, "ada-decides", Role.ADMIN)
        if with_money:
            await _fund(settings)
        yield Stage(
            stack=stack,
            settings=settings,
            engine=engine,
            temporal=await connect(settings, runtime=_quiet()),
            storage=storage,
            mailbox=Mailbox(stack.run_dir),
            console=console,
            video=video,
            staff=staff,
        )
    finally:
        engine.dispose()
        storage.close()


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One run on a directory at a time; let go of by the kernel if we are killed.

    Raises:
        UnderWay: another one is.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnderWay(f"another run holds {lock}; choose another --run-dir") from None
        yield


def _keep_logs(run_dir: Path) -> None:
    """Of the last run, beside its directory."""
    kept = run_dir.with_name(f"{run_dir.name}-logs")
    if (run_dir / "logs").exists():
        shutil.rmtree(kept, ignore_errors=True)
        shutil.move(run_dir / "logs", kept)


def _quiet() -> Runtime:
    """That a server is away is not news here."""
    logging = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    return Runtime(telemetry=TelemetryConfig(logging=logging))


async def _fund(settings: Settings) -> None:
    async with Browser(settings) as browser:
        wish = {"amount": FUNDS_MINOR, "currency": "usd"}
        await browser.ask("POST", "/v1/topups", data=wish)
        await asyncio.to_thread(browser.pass_days, FUNDS_DAYS)
