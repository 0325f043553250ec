"""The ways through `SendMail`, and the recorder of the histories that replay holds to.

    python -m tests.workflows.mail.record

One history for each branch: run it when a branch is added, and commit what it writes. Never
write over a history of code that has been released: those are what replay protects.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from temporalio.client import WorkflowFailureError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from tests.workflows.mail.runs import Handle, Scripted, sending, waiting
from tests.workflows.media.scripted import broken
from workflows.attention import OperatorChoice
from workflows.attributes import ALL
from workflows.mail.messages import MailEnd
from workflows.mail.send import SEND_STEP, SendMail

HISTORIES = Path(__file__).parent / "histories"
_TRACE = re.compile(r'"stackTrace": "(?:[^"\\]|\\.)*"')


@dataclass(frozen=True)
class Branch:
    """What the mail server does, and what an operator does meanwhile."""

    scripted: Scripted = field(default_factory=Scripted)
    meanwhile: Callable[[Handle], Awaitable[None]] | None = None


async def _retry(handle: Handle) -> None:
    await waiting(handle)
    await handle.execute_update(SendMail.retry_step, OperatorChoice(SEND_STEP, "ada"))


async def _skip(handle: Handle) -> None:
    await waiting(handle)
    await handle.execute_update(SendMail.skip_step, OperatorChoice(SEND_STEP, "ada"))


async def _cancel(handle: Handle) -> None:
    await waiting(handle)
    await handle.cancel()


def branches() -> dict[str, Branch]:
    return {
        "sent": Branch(),
        "refused": Branch(Scripted(end=MailEnd("refused", "550 5.1.1"))),
        "retried": Branch(Scripted(fails=[broken()]), _retry),
        "skipped": Branch(Scripted(fails=[broken()]), _skip),
        "cancelled": Branch(Scripted(fails=[broken()]), _cancel),
    }


async def main() -> None:
    HISTORIES.mkdir(exist_ok=True)
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
        search_attributes=list(ALL),
        data_converter=pydantic_data_converter,
    ) as environment:
        for name, branch in branches().items():
            async with sending(environment.client, branch.scripted) as handle:
                if branch.meanwhile is not None:
                    await branch.meanwhile(handle)
                try:
                    await handle.result()
                except WorkflowFailureError:
                    if name != "cancelled":
                        raise
                history = await handle.fetch_history()
            path = HISTORIES / f"{name}.json"
            # A trace tells where this machine keeps its files, and replay does not read it.
            path.write_text(_TRACE.sub('"stackTrace": ""', history.to_json()) + "\n")
            sys.stdout.write(f"{path.name}: {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    asyncio.run(main())
