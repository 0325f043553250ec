"""The demo tells failures as failures."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from devstack.demo.__main__ import Tale
from devstack.demo.scenes import expect
from devstack.demo.watching import StepClock
from devstack.stack import ROOT


async def played() -> str:
    return "all of it"


async def refused() -> str:
    expect(False, "the stranger was let in")
    return "never said"


async def broken() -> str:
    raise ConnectionError("nobody there")


@pytest.mark.parametrize(
    ("scene", "ok", "said"),
    [
        (played, True, "all of it"),
        (refused, False, "the stranger was let in"),
        (broken, False, "ConnectionError: nobody there"),
    ],
)
async def test_a_scene_is_told_as_it_went(
    scene: Callable[[], Coroutine[Any, Any, str]], ok: bool, said: str
) -> None:
    tale = Tale(Console(file=io.StringIO()))
    assert await tale.tell("the first", played)
    assert await tale.tell("the one in question", scene) is ok
    assert tale.ok is ok
    assert tale.steps[1].said == said


def test_a_tale_without_steps_is_no_success() -> None:
    assert not Tale(Console(file=io.StringIO())).ok


def test_seconds_go_to_the_step_that_the_run_was_in() -> None:
    times = iter([0.0, 1.0, 4.0, 6.0, 7.0])
    clock = StepClock(lambda: next(times))
    for step in ("scan", "encode", "scan", None):
        clock.enter(step)
    assert clock.seconds == {"scan": 4.0, "encode": 2.0}


def test_a_stack_that_can_not_start_ends_the_demo_with_a_reason(other_run_dir: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"redis://127.0.0.1:{closed.getsockname()[1]}/0"
        done = subprocess.run(
            [sys.executable, "-m", "devstack.demo", "--run-dir", str(other_run_dir)],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "VALKEY_URL": nowhere},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "valkey" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    report = json.loads((other_run_dir / "demo.json").read_text())
    assert report["ok"] is False
    assert [step["ok"] for step in report["steps"]] == [False]
