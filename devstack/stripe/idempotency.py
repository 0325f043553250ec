"""Idempotency keys: the answer to a POST is kept for a day and given again.

See "Idempotent requests" in Stripe's API reference: what failed validation or met a concurrent
request is not kept; all else is, failures too, once its execution began.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from devstack.stripe.errors import Obj, Refused
from devstack.stripe.world import DAY, Scope

KEPT_SECONDS = DAY
LENGTH_MAX = 255


def fingerprint(params: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()


def kept_answer(scope: Scope, key: str, *, path: str, params: dict[str, Any]) -> Obj | None:
    """What was answered to this key, None for a key that is new or was forgotten.

    Raises:
        Refused: 400 `idempotency_error` for other parameters or another path, 409 while the first
            request is still under way.
    """
    if len(key) > LENGTH_MAX:
        raise Refused(400, "Idempotency keys have 255 characters at most.", remembered=False)
    row = scope.world.store.get(scope.account, "_key", key)
    if row is None:
        return None
    if row["at"] + KEPT_SECONDS <= scope.now:
        scope.world.store.drop(scope.account, "_key", key)
        return None
    if row["busy_until"] > scope.now:
        raise Refused(
            409,
            "There is currently another in-progress request using this Idempotent Key (that"
            " probably means you submitted twice, and the other request is still going through):"
            f" {key}. Please try again later.",
            kind="idempotency_error",
            code="idempotency_key_in_use",
            remembered=False,
        )
    if row["path"] != path or row["fingerprint"] != fingerprint(params):
        what = "endpoint" if row["path"] != path else "parameters"
        raise Refused(
            400,
            f"Keys for idempotent requests can only be used with the same {what} they were first"
            f" used with. Try using a key other than '{key}' if you meant to execute a different"
            " request.",
            kind="idempotency_error",
            remembered=False,
        )
    return row


def keep(
    scope: Scope,
    key: str,
    *,
    path: str,
    params: dict[str, Any],
    status: int,
    body: Obj,
    busy_seconds: float,
) -> None:
    row = {
        "path": path,
        "fingerprint": fingerprint(params),
        "status": status,
        "body": body,
        "request": scope.world.request.id,
        "at": scope.now,
        "busy_until": scope.now + busy_seconds,
    }
    scope.world.store.put(scope.account, "_key", key, row)
