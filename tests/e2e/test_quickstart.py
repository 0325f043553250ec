"""The quickstart, run as it is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from devstack.databases import empty_tables
from devstack.stack import Stack
from infra.storage import Storage
from tests.e2e.media.platform import Platform, deployed
from tests.harness.blocks import run_steps, steps_of
from tests.harness.pages import QUICKSTART, ROOT

pytestmark = pytest.mark.timeout(180)

STEPS_SECONDS = 120


@pytest.fixture
def platform(
    stack_environment: dict[str, str], storage: Storage, worker_engine: Engine
) -> Iterator[Platform]:
    with (
        deployed(stack_environment, name="quickstart", storage=storage, engine=worker_engine) as it,
        it.working(),
    ):
        yield it
    empty_tables(worker_engine)


@pytest.fixture
def checkout(tmp_path: Path, stack: Stack) -> Path:
    """The repository as after `make up`: its stack is the one that the tests run on."""
    folder = tmp_path / "fansworld"
    folder.mkdir()
    for entry in ROOT.iterdir():
        if entry.name != ".run":
            (folder / entry.name).symlink_to(entry)
    (folder / ".run").symlink_to(stack.run_dir)
    return folder


def test_the_quickstart_leads_from_an_account_to_a_post_that_is_bought_and_played(
    platform: Platform, checkout: Path
) -> None:
    steps = steps_of(QUICKSTART)
    assert sum(bool(step.shown) for step in steps) >= 8, "the page says what is seen"
    environment = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(checkout.parent),
        **platform.environment,
    }
    run_steps(steps, folder=checkout, environment=environment, seconds=STEPS_SECONDS)
    assert not list(checkout.parent.glob("*.mp4")), "the clip is gone"
