"""Stripe's search: `metadata['op_id']:'…' AND status:'succeeded'`, a while behind what is written.

See "Search" in Stripe's documentation: clauses of `field:'value'`, joined by AND or by OR, each
may be negated by `-`; numbers compare with `<`, `>`, `<=`, `>=`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from devstack.stripe.errors import Obj, refuse
from devstack.stripe.world import Scope

_CLAUSE = re.compile(
    r"""\s*(?P<no>-)?(?P<field>\w+)(?:\[["'](?P<key>[^"']+)["']\])?"""
    r"""\s*(?P<how>:|<=|>=|<|>|~)\s*(?:["'](?P<text>[^"']*)["']|(?P<number>-?\d+))\s*"""
)
_JOINT = re.compile(r"(AND|OR|and|or)\s+")
_FIELDS = frozenset({"amount", "created", "currency", "customer", "status"})


def search(scope: Scope, rows: Sequence[Obj], params: Mapping[str, object], url: str) -> Obj:
    """One page of the rows that fit, newest first.

    Raises:
        Refused: 400 for a query that can't be read, or a field that can't be searched.
    """
    clauses, any_fits = _parsed(str(params["query"]))
    combine = any if any_fits else all
    known_until = scope.now - scope.config.search_lag_seconds
    found = [
        row
        for row in reversed(rows)
        if row["created"] <= known_until and combine(_fits(row, clause) for clause in clauses)
    ]
    limit, start = params.get("limit", 10), params.get("page", "0")
    assert isinstance(limit, int) and isinstance(start, str)
    if not 1 <= limit <= 100 or not start.isdigit():
        refuse("Invalid limit or page.", param="limit" if start.isdigit() else "page")
    end = int(start) + limit
    more = len(found) > end
    return {
        "object": "search_result",
        "url": url,
        "has_more": more,
        "data": found[int(start) : end],
        "next_page": str(end) if more else None,
    }


def _parsed(query: str) -> tuple[list[re.Match[str]], bool]:
    clauses: list[re.Match[str]] = []
    joints: set[str] = set()
    position = 0
    while position < len(query):
        found = _CLAUSE.match(query, position)
        if found is None:
            refuse(f"We were unable to parse your search query: {query}", param="query")
        if found["field"] != "metadata" and found["field"] not in _FIELDS:
            refuse(f"Field `{found['field']}` is an unsupported search field.", param="query")
        clauses.append(found)
        position = found.end()
        if position < len(query):
            joint = _JOINT.match(query, position)
            joints.add(joint[1].upper() if joint else "AND")
            position = joint.end() if joint else position
    if not clauses or len(joints) > 1:
        refuse("Search queries join their clauses by AND, or by OR, not by both.", param="query")
    return clauses, "OR" in joints


def _fits(row: Obj, clause: re.Match[str]) -> bool:
    value = row.get(clause["field"])
    if clause["field"] == "metadata":
        value = row["metadata"].get(clause["key"])
    wanted = clause["text"] if clause["text"] is not None else clause["number"]
    match clause["how"]:
        case ":":
            fits = value is not None and str(value).lower() == wanted.lower()
        case "~":
            fits = value is not None and wanted.lower() in str(value).lower()
        case how:
            fits = isinstance(value, int) and _compares(value, how, int(wanted))
    return fits != bool(clause["no"])


def _compares(value: int, how: str, wanted: int) -> bool:
    return {
        "<": value < wanted,
        ">": value > wanted,
        "<=": value <= wanted,
        ">=": value >= wanted,
    }[how]
