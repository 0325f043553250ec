"""Objects as they are answered: without our own notes, expanded, and in pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from devstack.stripe.errors import Obj, missing, refuse
from devstack.stripe.store import PLATFORM
from devstack.stripe.world import Scope


def shown(scope: Scope, value: Any) -> Any:
    """`value` as JSON that a client sees; a copy all through."""
    if isinstance(value, Mapping):
        seen = {
            name: shown(scope, item) for name, item in value.items() if not name.startswith("_")
        }
        if value.get("object") == "balance_transaction":
            seen["status"] = "available" if value["available_on"] <= scope.now else "pending"
        return seen
    if isinstance(value, list):
        return [shown(scope, item) for item in value]
    return value


def expanded(scope: Scope, answer: Obj, paths: Sequence[str]) -> Obj:
    """`answer` with the ids at `paths` ("latest_charge.balance_transaction") made objects.

    Raises:
        Refused: 400 for a path that leads to nothing that can be expanded.
    """
    for path in paths:
        _expand(scope, answer, path.split("."), path)
    return answer


def _expand(scope: Scope, value: Any, steps: Sequence[str], path: str) -> None:
    if not steps or value is None:
        return
    if isinstance(value, list):
        for item in value:
            _expand(scope, item, steps, path)
        return
    name = steps[0]
    if isinstance(value, dict) and name not in value and (found := _included(scope, value, name)):
        value[name] = found
    if not isinstance(value, dict) or name not in value:
        refuse(f"This property cannot be expanded ({path}).", param="expand")
    inner = value[name]
    if isinstance(inner, str):
        value[name] = inner = _object(scope, inner, path)
    _expand(scope, inner, steps[1:], path)


def _object(scope: Scope, wanted: str, path: str) -> Obj:
    place = scope.world.store.anywhere(wanted)
    if place is None or (place[0] not in (scope.account, PLATFORM) and scope.account != PLATFORM):
        refuse(f"This property cannot be expanded ({path}).", param="expand")
    seen: Obj = shown(scope, place[1])
    return seen


def _included(scope: Scope, obj: Obj, name: str) -> Obj | None:
    """Lists that an object has only when they are asked for."""
    if obj.get("object") == "charge" and name == "refunds":
        refunds = [row for row in scope.all("refund") if row["charge"] == obj["id"]]
        url = f"/v1/charges/{obj['id']}/refunds"
        seen: Obj = shown(scope, listed(list(reversed(refunds))[:10], url, len(refunds) > 10))
        return seen
    return None


def listed(rows: Sequence[Obj], url: str, has_more: bool = False) -> Obj:
    return {"object": "list", "url": url, "has_more": has_more, "data": list(rows)}


def page(
    rows: Sequence[Obj],
    params: Mapping[str, Any],
    url: str,
    *,
    filters: Sequence[str] = (),
) -> Obj:
    """One page of `rows` (given oldest first), newest first.

    Args:
        filters: fields that must equal the parameter of their name, where it is given.

    Raises:
        Refused: a `limit` outside of 1–100, or a cursor that names nothing.
    """
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        refuse("Invalid limit: must be between 1 and 100", param="limit")
    wanted = {name: params[name] for name in filters if name in params}
    found = [
        row
        for row in reversed(rows)
        if all(row.get(name) == value for name, value in wanted.items())
        and _in_range(row.get("created", 0), params.get("created"))
    ]
    if "starting_after" in params:
        start = _position(found, rows, params, "starting_after") + 1
        chosen = found[start:]
        return listed(chosen[:limit], url, len(chosen) > limit)
    if "ending_before" in params:
        chosen = found[: _position(found, rows, params, "ending_before")]
        return listed(chosen[-limit:], url, len(chosen) > limit)
    return listed(found[:limit], url, len(found) > limit)


def _position(
    found: Sequence[Obj], rows: Sequence[Obj], params: Mapping[str, Any], name: str
) -> int:
    for position, row in enumerate(found):
        if row["id"] == params[name]:
            return position
    kind = rows[0]["object"] if rows else "object"
    raise missing(kind, params[name], param=name, status=400)


def _in_range(at: int, wanted: Any) -> bool:
    if wanted is None:
        return True
    if isinstance(wanted, int):
        return at == wanted
    lowest = max(wanted.get("gte", 0), wanted.get("gt", -1) + 1)
    highest = min(wanted.get("lte", at), wanted.get("lt", at + 1) - 1)
    return bool(lowest <= at <= highest)
