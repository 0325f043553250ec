"""The recipe for a new workflow: its blocks, put in place as the page says, run."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Engine
from temporalio.client import Client

from tests.harness.pages import CONTRIBUTING, ROOT
from workflows.queues import Queue

FILES = dict(
    re.findall(r"^# (\S+\.py)\n(.*?)\Z", code, re.S)[0]
    for code in CONTRIBUTING.code("python")
    if not code.startswith("# part of ")
)
"""Path → content."""
PARTS = dict(
    re.findall(r"^# part of (\S+)\.py\n(.*?)\Z", code, re.S)[0]
    for code in CONTRIBUTING.code("python")
    if code.startswith("# part of ")
)
"""Module, as a path → what is added to it."""
GROWN = ("activities", "tests.workflows", "workflows")
"""Packages that get another one inside."""
TEST = "tests/workflows/reminders/test_remind.py"
TESTS = re.findall(r"^async def (test_\w+)", FILES[TEST], re.MULTILINE)


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files in a folder that Python looks into as well, for as long as these tests run."""
    folder = tmp_path_factory.mktemp("recipe")
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    packages = {name: importlib.import_module(name) for name in GROWN}
    known = set(sys.modules)
    for name, package in packages.items():
        package.__path__.append(str(folder / name.replace(".", "/")))
    for path, content in PARTS.items():
        exec(content, vars(_module(path)))
    yield folder
    for name, package in packages.items():
        package.__path__.remove(str(folder / name.replace(".", "/")))
    for path, content in PARTS.items():
        for added in re.findall(r"^def (\w+)", content, re.MULTILINE):
            delattr(_module(path), added)
    for name in {each for each in sys.modules if "reminders" in each} - known:
        del sys.modules[name]


def _module(path: str) -> ModuleType:
    return importlib.import_module(path.removesuffix(".py").replace("/", "."))


def test_the_recipe_goes_through_every_layer() -> None:
    assert set(PARTS) == {"domain/ids"}
    assert [Path(name).parts[0] for name in FILES] == [*["workflows"] * 4, "activities", "tests"]
    assert len(TESTS) == 2


@pytest.mark.parametrize("name", TESTS)
async def test_what_it_builds_runs(placed: Path, workflow_client: Client, name: str) -> None:
    del placed
    await getattr(_module(TEST), name)(workflow_client)


def test_its_activities_fit_what_the_workflow_was_promised(placed: Path) -> None:
    del placed
    made = _module("activities/reminders").ReminderActivities(Engine.__new__(Engine))
    [activity] = made.on_queues()[Queue.IO]
    assert activity.__name__ == "remind_creator"


def test_its_code_passes_the_linter(placed: Path) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    rules = ("--no-cache", "--config", ROOT / "pyproject.toml")
    # Which packages are our own it tells by where they lie, and here they lie elsewhere.
    for command in (("check", "--ignore", "I001"), ("format", "--check")):
        done = subprocess.run(
            [ruff, *command, *rules, "."],
            cwd=placed,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
