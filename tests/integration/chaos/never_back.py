"""The command with a bug planted in what it plays: `python -m tests.integration.chaos.never_back`.

One fault heals as it should; of the other the worker never comes back.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from chaos.__main__ import main
from chaos.families.media import Posts
from chaos.faults.fault import Fault, nothing
from chaos.faults.processes import killed
from chaos.scene import Setup
from chaos.work import Round
from devstack.apps import Api, WorkerProcess
from infra.settings import Settings
from workflows.queues import Queue

WORKER = "worker-posts"


async def kill_and_ask(round_: Round) -> None:
    """A post that is scheduled once nobody is there can't have been published before."""
    round_.stage.stack.kill(WORKER)
    posts = Posts(round_)
    await posts.prepare()
    await posts.begin()


healing = killed("healing", WORKER, lasts_seconds=0.5, deadline_seconds=40)
never_back: Fault = replace(
    healing, name="never-back", inject=kill_and_ask, heal=nothing, deadline_seconds=4
)

if __name__ == "__main__":
    given = {name.upper() for name in Settings.model_fields} & os.environ.keys()
    setup = Setup(
        apps=(Api(), WorkerProcess(WORKER, Queue.WORKFLOWS, Queue.IO)),
        environ={name: os.environ[name] for name in given},
    )
    faults = {fault.name: fault for fault in (healing, never_back)}
    sys.exit(main(faults=faults, setup=setup))
