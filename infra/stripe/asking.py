"""What every part of the gateway shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from infra.stripe.calls import Find, Read, StripeCalls, found_or_none, with_metadata
from infra.stripe.fields import Json
from infra.stripe.journal import Order


class Asking:
    """Base of the parts; `_calls` is set by the gateway."""

    _calls: StripeCalls

    def _order(
        self,
        path: str,
        params: Mapping[str, Any],
        *,
        key: str,
        op_id: str,
        at: datetime,
        read: Read | None,
        find: Find | None,
        account: str | None = None,
        workflow_id: str | None = None,
        embedded: str | None = None,
    ) -> Json:
        order = Order(key, op_id, path, dict(params), account, at, workflow_id)
        return self._calls.order(order, read=read, find=find, embedded=embedded)

    def _reading(
        self, path: str, params: Mapping[str, Any] | None = None, *, account: str | None = None
    ) -> Read:
        """Reads one object of a collection by its id."""
        return lambda object_id: self._calls.read(f"{path}/{object_id}", params, account=account)

    def _in_state(self, read: Read, object_id: str, *, field: str, among: frozenset[str]) -> Find:
        """Whether an order about an object that is there already was carried out: a text of the
        object tells."""

        def find(_: datetime) -> Json | None:
            held = found_or_none(lambda: read(object_id))
            return held if held is not None and held.get(field) in among else None

        return find

    def _made_since(
        self,
        path: str,
        key: str,
        params: Mapping[str, Any] | None = None,
        *,
        account: str | None = None,
    ) -> Find:
        """Looks through what was made since then for what the order with this key has made."""

        def find(since: datetime) -> Json | None:
            return with_metadata(self._since(path, since, params, account=account), "op_key", key)

        return find

    def _made_in(self, path: str, key: str, params: Mapping[str, Any] | None = None) -> Find:
        """As `_made_since`, through a list that is short as a whole."""

        def find(_: datetime) -> Json | None:
            return with_metadata(self._calls.read_all(path, params or {}), "op_key", key)

        return find

    def _since(
        self,
        path: str,
        since: datetime,
        params: Mapping[str, Any] | None = None,
        *,
        until: datetime | None = None,
        account: str | None = None,
    ) -> Iterator[Json]:
        created = {"gte": seconds_of(since)}
        if until is not None:
            created["lt"] = seconds_of(until)
        return self._calls.read_all(path, {**(params or {}), "created": created}, account=account)


def seconds_of(moment: datetime) -> int:
    """As Stripe writes times."""
    return int(moment.timestamp())


def op_metadata(
    op_id: str, op_kind: str, *, key: str, workflow_id: str | None = None, **more: str | None
) -> dict[str, str]:
    """Names the row that an object was made for, the order that made it (a row may have several
    of one kind), and the run that waits for news of it."""
    named = {
        "op_id": op_id,
        "op_kind": op_kind,
        "op_key": key,
        "workflow_id": workflow_id,
        **more,
    }
    return {name: value for name, value in named.items() if value is not None}
