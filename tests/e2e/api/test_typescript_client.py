"""A client in TypeScript, made from the document of the running API, compiled and run."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from api.auth.tokens import mint_token
from devstack.stack import ROOT
from domain.accounts import Role
from tests.harness.api import RunningApi
from tests.harness.npm import installed, run
from tests.harness.rows import MakeUser

CLIENT = ROOT / "clients" / "typescript"
SOURCES = ("package.json", "tsconfig.json", "src/client.ts", "examples/media.ts")


@pytest.fixture
def project(api: RunningApi, tmp_path: Path) -> Path:
    """The client's sources with packages, and types of the document as it is now."""
    for name in SOURCES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(CLIENT / name, tmp_path / name)
    (tmp_path / "node_modules").symlink_to(installed(CLIENT) / "node_modules")
    document = api.client().get("/openapi.json").text
    (tmp_path / "openapi.json").write_text(document)
    run(["npm", "run", "--silent", "generate"], tmp_path)
    return tmp_path


@pytest.mark.timeout(240)
def test_the_client_compiles_strictly_and_its_example_runs(
    project: Path, api: RunningApi, make_user: MakeUser
) -> None:
    run(["npm", "run", "--silent", "build"], project)
    token = mint_token(api.settings, make_user(role=Role.CREATOR).id)
    env = {**os.environ, "FANSWORLD_URL": api.url, "FANSWORLD_TOKEN": token}
    printed = run(["node", "dist/examples/media.js"], project, env)
    assert json.loads(printed) == {
        "sameUpload": True,
        "replayed": [False, True],
        "listed": 2,
        "title": "A day at the beach",
        "refused": "media_not_found",
    }


@pytest.mark.timeout(240)
def test_a_call_that_the_document_does_not_know_does_not_compile(project: Path) -> None:
    wrong = project / "examples" / "wrong.ts"
    wrong.write_text(
        'import { createClient } from "../src/client.js";\n'
        'const api = createClient({ baseUrl: "http://localhost" });\n'
        'await api.POST("/api/v1/uploads", { body: { file_name: 1 } });\n'
        'await api.GET("/api/v1/nothing");\n'
    )
    with pytest.raises(AssertionError, match="failed") as caught:
        run(["npm", "run", "--silent", "build"], project)
    faults = [line for line in str(caught.value).splitlines() if "error TS" in line]
    assert {line.split("(")[0] for line in faults} == {"examples/wrong.ts"}
    assert len(faults) >= 2
