"""One embedded stack for a whole test run, shared by its xdist workers.

The first worker that needs it starts it (the stack's own lock makes the others wait and take
it over); the controller ends it, however the run ends. Each worker has a database, buckets, a
Valkey database and task queues of its own. A run that was killed is tidied up by the next.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import FrameType

import pytest
from redis import Redis
from temporalio.client import Client

from devstack.databases import clone_template
from devstack.mailbox import Mailbox
from devstack.postgres import Postgres
from devstack.processes import start_ticks
from devstack.stack import ROOT, Stack, settings_from
from infra.ids import new_id
from infra.redis import make_valkey
from infra.settings import Settings
from infra.storage import Storage
from infra.temporal import connect

RUNS = ROOT / ".run" / "tests"
LAST_LOGS = ROOT / ".run" / "test-logs"

_run_dir = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    given: dict[str, str] | None = getattr(config, "workerinput", None)
    if given is not None:
        config.stash[_run_dir] = Path(given["stack_run_dir"])
        return
    _tidy_up_killed_runs()
    pid = os.getpid()
    config.stash[_run_dir] = RUNS / f"{pid}-{start_ticks(pid)}"
    # A CI that loses patience sends SIGTERM; the stack must go then as it does on Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Of xdist: tell a worker, before it starts, where the run keeps its stack."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]
    node.workerinput["stack_run_dir"] = str(config.stash[_run_dir])  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the stack, in the controller and after its workers."""
    run_dir = config.stash.get(_run_dir, None)
    if run_dir is not None and not hasattr(config, "workerinput"):
        _end(run_dir)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        if "unit" in item.path.relative_to(ROOT).parts and "stack_environment" in fixtures:
            raise pytest.UsageError(f"{item.nodeid} is a unit test, yet it needs the stack")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _tidy_up_killed_runs() -> None:
    for run_dir in RUNS.glob("*-*"):
        pid, _, ticks = run_dir.name.partition("-")
        if str(start_ticks(int(pid))) != ticks:
            _end(run_dir)


def _end(run_dir: Path) -> None:
    if run_dir.exists():
        for each in (run_dir, *run_dir.glob("others/*")):
            Stack(each, environ={}).stop()
        if (run_dir / "logs").exists():
            shutil.rmtree(LAST_LOGS, ignore_errors=True)
            shutil.move(run_dir / "logs", LAST_LOGS)
        shutil.rmtree(run_dir)


def _environ() -> dict[str, str]:
    """The environment less every setting: tests never touch a real service by accident."""
    settings = {name.upper() for name in Settings.model_fields}
    return {name: value for name, value in os.environ.items() if name not in settings}


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> Stack:
    """The running stack, as every worker of this run sees it. Don't kill its parts."""
    stack = Stack(pytestconfig.stash[_run_dir], environ=_environ(), durable=False)
    stack.start()
    return stack


@pytest.fixture
def other_run_dir(pytestconfig: pytest.Config) -> Iterator[Path]:
    """An empty run directory for a stack that a test may start, kill and break.

    Not in pytest's own temporary folder: that one is closed to other users, as whom Postgres
    has to run where we are root.
    """
    path = pytestconfig.stash[_run_dir] / "others" / new_id()
    path.mkdir(parents=True)
    yield path
    Stack(path, environ={}).stop()
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def mailbox(stack: Stack) -> Mailbox:
    """Every mail of this run, of all its workers: look by an address of your own."""
    return Mailbox(stack.run_dir)


@pytest.fixture(scope="session")
def worker_name(pytestconfig: pytest.Config) -> str:
    """`main` without xdist, else `gw0`, `gw1`, …"""
    given: dict[str, str] = getattr(pytestconfig, "workerinput", {})
    return given.get("workerid", "main")


@pytest.fixture(scope="session")
def stack_environment(
    stack: Stack, worker_name: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The variables for a process that is to use this test worker's share of the stack."""
    number = int(worker_name.removeprefix("gw")) + 1 if worker_name != "main" else 0
    given = stack.environment
    return {
        **given,
        "ENVIRONMENT": "test",
        "DATABASE_URL": clone_template(given[Postgres.settings[0]], f"test_{worker_name}"),
        "VALKEY_URL": f"{given['VALKEY_URL'].rpartition('/')[0]}/{number}",
        "S3_BUCKET_QUARANTINE": f"{worker_name}-quarantine",
        "S3_BUCKET_MEDIA": f"{worker_name}-media",
        "S3_BUCKET_PUBLIC": f"{worker_name}-public",
        "TASK_QUEUE_PREFIX": f"{worker_name}-",
        "SCRATCH_DIR": str(tmp_path_factory.mktemp("scratch")),
        "SCRATCH_FREE_BYTES_MIN": "0",
        # Tests are many requests of few people; what the limits do has tests of its own.
        "RATE_LIMIT_API_PER_MINUTE": "1000000",
        "RATE_LIMIT_UPLOADS_PER_MINUTE": "1000000",
        "RATE_LIMIT_AUTH_PER_15_MINUTES": "1000000",
    }


@pytest.fixture(scope="session")
def settings(stack_environment: dict[str, str]) -> Settings:
    return settings_from(stack_environment)


@pytest.fixture(scope="session")
def storage(settings: Settings) -> Iterator[Storage]:
    """Storage with this worker's buckets. Tests use keys of their own; nothing is emptied."""
    storage = Storage(settings)
    storage.ensure_buckets()
    yield storage
    storage.close()


@pytest.fixture
def valkey(settings: Settings) -> Iterator[Redis]:
    """This worker's Valkey database, empty at first: an API of an earlier test wrote to it too."""
    with make_valkey(settings) as client:
        client.flushdb()
        yield client


@pytest.fixture
async def temporal_client(settings: Settings) -> AsyncIterator[Client]:
    """A client of the full development server, with the encrypting codec."""
    yield await connect(settings)
