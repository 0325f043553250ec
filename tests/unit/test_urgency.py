"""What the servers have to be told for `workflows/urgency.py` to hold."""

from __future__ import annotations

from pathlib import Path

import yaml

from devstack.temporal import DYNAMIC

FILE = Path(__file__).parents[2] / "deploy" / "compose" / "temporal-dynamic.yaml"


def test_the_real_server_is_configured_as_the_one_that_tests_run_on() -> None:
    given = yaml.safe_load(FILE.read_text())
    for key, value in DYNAMIC.items():
        assert given[key] == [{"value": yaml.safe_load(value), "constraints": {}}], key
