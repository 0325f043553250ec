"""The stack that everything is played on: started, furnished, and gone afterwards."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console

from chaos.apps import make_apps
from chaos.stage import Stage
from devstack.demo import material
from devstack.demo.browser import Browser
from devstack.mailbox import Mailbox
from devstack.people import ensure_person
from devstack.running import running_stack
from devstack.stack import settings_from
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
    "WORKER_GRACEFUL_SHUTDOWN_SECONDS": "10",
}
FUNDS_MINOR = 1_000_000_00
"""The platform's own money at Stripe: sales of today could not be transferred for days."""
FUNDS_DAYS = 3


@asynccontextmanager
async def open_stage(run_dir: Path, console: Console) -> AsyncIterator[Stage]:
    """A stack on an empty directory of its own, ended and removed afterwards. It uses no service
    that the environment names."""
    shutil.rmtree(run_dir, ignore_errors=True)
    try:
        with running_stack(run_dir, console, environ=SETTINGS, apps=make_apps(), alone=True) as (
            stack,
            found,
        ):
            settings = settings_from({**SETTINGS, **found})
            engine = make_engine(settings, name="chaos")
            storage = Storage(settings)
            with tempfile.TemporaryDirectory() as folder:
                video = material.long_video(Path(folder))
            staff = await asyncio.to_thread(ensure_person, settings, "ada-decides", Role.ADMIN)
            await _fund(settings)
            try:
                yield Stage(
                    stack=stack,
                    settings=settings,
                    engine=engine,
                    temporal=await connect(settings),
                    storage=storage,
                    mailbox=Mailbox(run_dir),
                    console=console,
                    video=video,
                    staff=staff,
                )
            finally:
                engine.dispose()
                storage.close()
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)


async def _fund(settings: Settings) -> None:
    async with Browser(settings) as browser:
        wish = {"amount": FUNDS_MINOR, "currency": "usd"}
        await browser.ask("POST", "/v1/topups", data=wish)
        await asyncio.to_thread(browser.pass_days, FUNDS_DAYS)
