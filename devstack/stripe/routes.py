"""Which request goes to which function, and the type of its parameters."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from devstack.stripe.errors import Obj, Refused

Handler = Callable[..., Obj]
"""Called with the scope, the checked parameters, and the ids of the path in their order."""


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    params: type[Any]
    handler: Handler
    pattern: re.Pattern[str]


_ROUTES: list[Route] = []


def route(method: str, path: str, params: type[Any]) -> Callable[[Handler], Handler]:
    """Registers the function for `path`, where `{id}` stands for one segment."""
    pattern = re.compile(re.sub(r"\{\w+\}", "([^/]+)", path))

    def registered(handler: Handler) -> Handler:
        _ROUTES.append(Route(method, path, params, handler, pattern))
        return handler

    return registered


def find(method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    """The route of a request and the ids in its path; fixed words win over ids.

    Raises:
        Refused: 404, no such URL.
    """
    for known in sorted(_ROUTES, key=lambda known: known.path.count("{")):
        found = known.pattern.fullmatch(path)
        if found is not None and known.method == method:
            return known, found.groups()
    raise Refused(
        404,
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we"
        " can help at https://support.stripe.com/.",
        remembered=False,
    )
