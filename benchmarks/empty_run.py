"""The peer of an unlock: a signed-in route that starts an empty run with one empty step, and hears
its answer in the same call. As much HTTP, Temporal and worker as an unlock has, and no money.

    python -m benchmarks.empty_run serve PORT
    python -m benchmarks.empty_run work
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from uuid import uuid4

import uvicorn
from fastapi import FastAPI
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker

from api.auth.callers import SignedInCaller
from api.auth.tokens import TokenKeys
from benchmarks.emptiness import ACTIVITIES, WORKFLOWS, EmptyRun, do_nothing
from infra.settings import load_settings
from infra.temporal import connect
from workflows.runner import workflow_runner


async def run_once(client: Client) -> tuple[str, str]:
    """What the run said, and its id."""
    workflow_id = f"empty-{uuid4()}"
    start = WithStartWorkflowOperation(
        EmptyRun.run,
        id=workflow_id,
        task_queue=WORKFLOWS,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    said = await client.execute_update_with_start_workflow(
        EmptyRun.outcome, start_workflow_operation=start
    )
    return said, workflow_id


def make_app() -> FastAPI:
    settings = load_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.client = await connect(settings)
        yield

    app = FastAPI(lifespan=lifespan)
    # As much of the API's parts as knowing the caller takes.
    app.state.parts = SimpleNamespace(settings=settings, token_keys=TokenKeys(settings))

    @app.post("/run")
    async def run(caller: SignedInCaller) -> dict[str, str]:
        said, workflow_id = await run_once(app.state.client)
        return {"state": said, "run": workflow_id, "caller": caller.user_id}

    return app


async def work() -> None:
    client = await connect(load_settings())
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with (
        Worker(
            client, task_queue=WORKFLOWS, workflows=[EmptyRun], workflow_runner=workflow_runner()
        ),
        Worker(client, task_queue=ACTIVITIES, activities=[do_nothing]),
    ):
        await stopping.wait()


def main(arguments: list[str]) -> None:
    if arguments[0] == "work":
        asyncio.run(work())
    else:
        uvicorn.run(make_app(), host="127.0.0.1", port=int(arguments[1]), log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1:])
