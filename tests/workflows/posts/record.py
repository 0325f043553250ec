"""The ways through `PublishPost`, and the recorder of the histories that replay holds to.

    python -m tests.workflows.posts.record

One history for each branch: run it when a branch is added, and commit what it writes. Never
write over a history of code that has been released: those are what replay protects.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.workflows.posts.runs import DAY, Handle, PostRun, lost_answer, post_run, skipping_time
from workflows.posts.messages import PostLook

HISTORIES = Path(__file__).parent / "histories"


async def publish_on_time(run: PostRun) -> Handle:
    handle = await run.schedule(3 * DAY)
    assert await handle.result() == PostLook("published")
    return handle


async def reschedule_earlier(run: PostRun) -> Handle:
    handle = await run.schedule(7 * DAY)
    await run.pass_time(DAY)
    await run.schedule(2 * DAY)
    assert await handle.result() == PostLook("published")
    return handle


async def reschedule_later(run: PostRun) -> Handle:
    handle = await run.schedule(2 * DAY)
    await run.pass_time(DAY)
    await run.schedule(9 * DAY)
    assert await handle.result() == PostLook("published")
    return handle


async def unschedule(run: PostRun) -> Handle:
    handle = await run.schedule(7 * DAY)
    await run.pass_time(DAY)
    await run.change("unscheduled")
    with run.environment.auto_time_skipping_disabled():
        assert await handle.result() == PostLook("unscheduled")
    return handle


async def delete(run: PostRun) -> Handle:
    handle = await run.schedule(7 * DAY)
    await run.pass_time(DAY)
    await run.change("deleted")
    with run.environment.auto_time_skipping_disabled():
        assert await handle.result() == PostLook("deleted")
    return handle


async def lose_answer(run: PostRun) -> Handle:
    run.row.lost_answers = [lost_answer()]
    return await publish_on_time(run)


async def continue_as_new(run: PostRun) -> Handle:
    """Recorded is the first of its runs: the one that goes on as another."""
    handle = await run.schedule(DAY, looks_max=2)
    first: Handle = run.environment.client.get_workflow_handle(
        handle.id, run_id=handle.first_execution_run_id, result_type=PostLook
    )
    await run.pass_time(DAY / 2)
    await run.schedule(3 * DAY)
    assert await handle.result() == PostLook("published")
    return first


BRANCHES: dict[str, Callable[[PostRun], Awaitable[Handle]]] = {
    "published": publish_on_time,
    "rescheduled-earlier": reschedule_earlier,
    "rescheduled-later": reschedule_later,
    "unscheduled": unschedule,
    "deleted": delete,
    "answer-lost": lose_answer,
    "continued-as-new": continue_as_new,
}


async def main() -> None:
    HISTORIES.mkdir(exist_ok=True)
    for name, branch in BRANCHES.items():
        async with skipping_time() as environment, post_run(environment) as run:
            handle = await branch(run)
            history = await handle.fetch_history()
        path = HISTORIES / f"{name}.json"
        path.write_text(history.to_json() + "\n")
        sys.stdout.write(f"{path.name}: {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    asyncio.run(main())
