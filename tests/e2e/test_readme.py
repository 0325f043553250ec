"""The README's first steps, run as they are written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from devstack.databases import empty_tables
from devstack.stack import Stack
from infra.storage import Storage
from tests.e2e.media.platform import Platform, deployed
from tests.harness.pages import README, ROOT

pytestmark = pytest.mark.timeout(180)

STEPS_SECONDS = 120


@pytest.fixture
def platform(
    stack_environment: dict[str, str], storage: Storage, worker_engine: Engine
) -> Iterator[Platform]:
    with (
        deployed(stack_environment, name="readme", storage=storage, engine=worker_engine) as it,
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


def first_steps() -> str:
    _, _, section = README.text.partition("<!-- first steps")
    _, _, code = section.partition("```bash\n")
    return code.partition("```")[0]


def test_the_first_steps_lead_from_an_account_to_playback(
    platform: Platform, checkout: Path
) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", first_steps()],
        cwd=checkout,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(checkout.parent), **platform.environment},
        capture_output=True,
        text=True,
        timeout=STEPS_SECONDS,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "event: done" in done.stdout
    assert '"state":"ready"' in done.stdout
    assert "#EXT-X-STREAM-INF" in done.stdout, "the master playlist names its rungs"
    assert done.stderr == "", "nothing complained"
    assert not list(checkout.parent.glob("*.mp4")), "the clip is gone"
