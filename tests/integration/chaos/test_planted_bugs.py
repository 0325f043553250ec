"""`make chaos` can fail: what is lost, and what is done twice, is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from temporalio.client import Client

from chaos import doubles
from chaos.ends import await_ends
from chaos.work import Work
from devstack.stack import ROOT
from infra.db import transaction
from infra.ids import new_id
from infra.models import User
from tests.harness.sales import Sales


async def test_work_that_never_ends_is_lost_and_says_where_to_look(temporal_client: Client) -> None:
    async def ready() -> str:
        return "ready"

    async def processing() -> str:
        return "processing"

    async def away() -> str:
        raise ConnectionError("gone")

    works = [
        Work("media", f"{look.__name__}.jpg", f"ingest:{look.__name__}", look, frozenset({"ready"}))
        for look in (ready, processing, away)
    ]
    ends = await await_ends(temporal_client, works, queue="nobodys", seconds=0.3)
    assert ends.lost == [
        "media: processing.jpg is processing; look at the run ingest:processing",
        "media: away.jpg is not to be seen: ConnectionError: gone; look at the run ingest:away",
    ]
    assert ends.last_at > 0


def test_a_sale_that_is_sound_breaks_nothing(sales: Sales, engine: Engine, fan: User) -> None:
    sales.sell(fan)
    assert doubles.broken_rows(engine) == []
    assert doubles.unfinished_rows(engine) == []


def test_a_right_that_was_given_twice_is_found(sales: Sales, engine: Engine, fan: User) -> None:
    charge = sales.sell(fan)
    with transaction(engine) as session:
        session.execute(
            text("""
                INSERT INTO entitlements (id, fan_id, creator_id, post_id, source, starts_at)
                SELECT :id, fan_id, creator_id, post_id, source, starts_at + interval '1 second'
                FROM entitlements WHERE fan_id = :fan
            """),
            {"id": new_id(), "fan": charge.fan_id},
        )
    assert any("one right a purchase" in each for each in doubles.broken_rows(engine))


def test_a_purchase_that_never_ends_is_found(sales: Sales, engine: Engine, fan: User) -> None:
    sales.order(fan)
    assert any("no unlock is left spinning" in each for each in doubles.unfinished_rows(engine))


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("storage", "engine")
def test_the_command_fails_where_a_worker_never_comes_back(
    stack_environment: dict[str, str], other_run_dir: Path
) -> None:
    result = other_run_dir / "chaos.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.integration.chaos.never_back"),
            *("--family", "posts", "--run-dir", str(other_run_dir / "own")),
            *("--result", str(result)),
        ],
        cwd=ROOT,
        env={**os.environ, **stack_environment},
        capture_output=True,
        text=True,
        timeout=110,
    )
    healed, lost = json.loads(result.read_text())
    assert (healed["fault"], healed["lost"], healed["doubled"]) == ("healing", 0, 0), done.stdout
    assert (lost["fault"], lost["acknowledged"]) == ("never-back", 2), done.stdout
    # The first of them may have been published before the worker was killed.
    assert lost["lost"] in (1, 2), done.stdout
    assert done.returncode == 1
    assert "look at the run publish-post:" in lost["lost_work"][0]
    assert not (other_run_dir / "own").exists()
