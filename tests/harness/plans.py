"""How Postgres carries out a statement of ours."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Engine

Node = dict[str, Any]


def plan_nodes(engine: Engine, sql: bytes, **params: Any) -> list[Node]:
    """Every node of the plan that a prepared statement gets, with what it really read.

    Parameters of who asks and of the first page have their usual values where none are given.
    """
    usual = {
        "viewer_id": None,
        "session_id": None,
        "country": None,
        "before_at": None,
        "before_id": None,
        "limit": 21,
    }
    with engine.connect() as connection:
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        rows = connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {sql.decode()}", usual | params
        )
        found = rows.scalar_one()
    plan = found if isinstance(found, list) else json.loads(found)
    nodes, waiting = [], [plan[0]["Plan"]]
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        waiting += node.get("Plans", [])
    return nodes


def rows_read(nodes: list[Node], table: str) -> int:
    """Of the table, those that were passed over as well."""
    return sum(
        int((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in nodes
        if node.get("Relation Name") == table
    )
