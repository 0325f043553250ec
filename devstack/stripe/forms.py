"""Form-encoded bodies and queries with nested keys: `a[b][0]=x`, `a[]=x`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from devstack.stripe.errors import malformed

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")


def decode(text: str) -> dict[str, Any]:
    """The nested values of a form: strings at the leaves.

    Lists are dicts with the keys "0", "1", … here; what is a list, the parameter's type tells.

    Raises:
        Refused: when a key can't be read, or is both a value and a mapping.
    """
    values: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        found = _KEY.fullmatch(name)
        if found is None:
            raise malformed(f"Invalid parameter name: {name}", param=name)
        path = [found[1], *_PART.findall(found[2])]
        _put(values, path, value, name)
    return values


def _put(values: dict[str, Any], path: list[str], value: str, name: str) -> None:
    place = values
    for step in path[:-1]:
        inner = place.setdefault(step or str(len(place)), {})
        if not isinstance(inner, dict):
            raise malformed(f"Invalid object: {name}", param=name)
        place = inner
    place[path[-1] or str(len(place))] = value
