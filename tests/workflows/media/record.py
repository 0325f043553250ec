"""Record the histories that replay tests hold every later version to.

    python -m tests.workflows.media.record

One history for each branch: run it when a branch is added, and commit what it writes. Never
write over a history of code that has been released: those are what replay protects.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client, WorkflowFailureError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from domain.media.states import MediaKind
from tests.workflows.media.runs import Handle, cancel_at, running, waiting
from tests.workflows.media.scripted import LONG, SHORT, SOUND_ONLY, Scripted, broken, rejected
from workflows.attention import OperatorChoice
from workflows.attributes import ALL
from workflows.media.ingest import IngestMedia

HISTORIES = Path(__file__).parent / "histories"
_TRACE = re.compile(r'"stackTrace": "(?:[^"\\]|\\.)*"')


@dataclass(frozen=True)
class Branch:
    """A way through ingest: what the activities do, and what happens meanwhile."""

    name: str
    scripted: Scripted
    meanwhile: Callable[[Handle, Scripted], Awaitable[None]] | None = None


async def _retry_render(handle: Handle, _: Scripted) -> None:
    await waiting(handle, "render")
    await handle.execute_update(IngestMedia.retry_step, OperatorChoice("render", "ada"))


async def _skip_judgement(handle: Handle, _: Scripted) -> None:
    await waiting(handle, "moderate")
    await handle.execute_update(IngestMedia.skip_step, OperatorChoice("moderate", "ada"))


async def _cancel_transcode(handle: Handle, scripted: Scripted) -> None:
    await cancel_at(handle, scripted, "encode_video:0:1")


def branches() -> list[Branch]:
    video = MediaKind.VIDEO
    return [
        Branch("picture", Scripted()),
        Branch("short-video", Scripted(kind=video, plan=SHORT)),
        Branch("long-video", Scripted(kind=video, plan=LONG)),
        Branch("sound", Scripted(kind=MediaKind.AUDIO, plan=SOUND_ONLY)),
        Branch("rejected", Scripted(fails={"inspect_original": [rejected("infected")]})),
        Branch("retried", Scripted(fails={"render_image": [broken()]}), _retry_render),
        Branch("skipped", Scripted(kind=video, fails={"judge_video": [broken()]}), _skip_judgement),
        Branch(
            "cancelled",
            Scripted(kind=video, plan=LONG, hangs={"encode_video:0:1"}),
            _cancel_transcode,
        ),
    ]


async def record(client: Client, branch: Branch) -> Path:
    async with running(client, branch.scripted) as handle:
        if branch.meanwhile is not None:
            await branch.meanwhile(handle, branch.scripted)
        try:
            await handle.result()
        except WorkflowFailureError:
            if branch.name != "cancelled":
                raise
        history = await handle.fetch_history()
    path = HISTORIES / f"{branch.name}.json"
    # A trace tells where this machine keeps its files, and replay does not read it.
    path.write_text(_TRACE.sub('"stackTrace": ""', history.to_json()) + "\n")
    return path


async def main() -> None:
    HISTORIES.mkdir(exist_ok=True)
    temporal = Path(sys.executable).with_name("temporal")
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(temporal),
        search_attributes=list(ALL),
        data_converter=pydantic_data_converter,
    ) as environment:
        for branch in branches():
            path = await record(environment.client, branch)
            sys.stdout.write(f"{path.name}: {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    asyncio.run(main())
