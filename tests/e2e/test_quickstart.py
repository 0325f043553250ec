"""The quickstart, run as it is written, and the TypeScript client that it builds on its way."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from devstack.databases import empty_tables
from devstack.stack import Stack
from infra.storage import Storage
from tests.e2e.media.platform import Platform, deployed
from tests.harness.blocks import run_steps, steps_of
from tests.harness.npm import run, with_packages
from tests.harness.pages import QUICKSTART, ROOT

pytestmark = pytest.mark.timeout(300)

STEPS_SECONDS = 240
CLIENT = Path("clients") / "typescript"


@dataclass(frozen=True)
class Followed:
    """The page, followed to its end: where, and with what came of it."""

    platform: Platform
    checkout: Path
    printed: str

    @property
    def client(self) -> Path:
        """The TypeScript client, built."""
        return self.checkout / CLIENT


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, stack: Stack) -> Path:
    """The repository as after `make up`: its stack is the one that the tests run on."""
    folder = tmp_path_factory.mktemp("quickstart") / "fansworld"
    folder.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in (".run", "clients"):
            (folder / entry.name).symlink_to(entry)
    (folder / ".run").symlink_to(stack.run_dir)
    with_packages(ROOT / CLIENT, folder / CLIENT)
    return folder


@pytest.fixture(scope="module")
def followed(
    stack_environment: dict[str, str], storage: Storage, worker_engine: Engine, checkout: Path
) -> Iterator[Followed]:
    with (
        deployed(stack_environment, name="quickstart", storage=storage, engine=worker_engine) as it,
        it.working(),
    ):
        environment = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(checkout.parent),
            **it.environment,
        }
        printed = run_steps(
            steps_of(QUICKSTART), folder=checkout, environment=environment, seconds=STEPS_SECONDS
        )
        yield Followed(it, checkout, printed)
    empty_tables(worker_engine)


def test_the_quickstart_leads_from_an_account_to_a_post_that_is_bought_and_played(
    followed: Followed,
) -> None:
    # That each step works and prints what the page shows was found out on the way.
    assert sum(bool(step.shown) for step in steps_of(QUICKSTART)) >= 9, "the page says what is seen"
    assert followed.printed.count("unlocked\n") == 2, "by curl and by the client"
    assert not [each.name for each in followed.checkout.parent.glob("*.mp4")], "the clip is gone"


def test_the_example_of_the_typescript_client_runs(followed: Followed) -> None:
    creator = followed.platform.creator()
    token = str(creator.http.headers["authorization"]).removeprefix("Bearer ")
    url = followed.platform.api.url
    env = {**os.environ, "FANSWORLD_URL": url, "FANSWORLD_TOKEN": token}
    printed = run(["node", "dist/examples/media.js"], followed.client, env)
    assert json.loads(printed) == {
        "sameUpload": True,
        "replayed": [False, True],
        "listed": 2,
        "title": "A day at the beach",
        "refused": "media_not_found",
    }


def test_a_call_that_the_document_does_not_know_does_not_compile(followed: Followed) -> None:
    wrong = followed.client / "examples" / "wrong.ts"
    wrong.write_text(
        'import { createClient } from "../src/client.js";\n'
        'const api = createClient({ baseUrl: "http://localhost" });\n'
        'await api.POST("/api/v1/uploads", { body: { file_name: 1 } });\n'
        'await api.GET("/api/v1/nothing");\n'
    )
    with pytest.raises(AssertionError, match="failed") as caught:
        run(["npm", "run", "--silent", "build"], followed.client)
    faults = [line for line in str(caught.value).splitlines() if "error TS" in line]
    assert {line.split("(")[0] for line in faults} == {"examples/wrong.ts"}
    assert len(faults) >= 2
