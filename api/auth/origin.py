"""Where a request comes from."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from api.clients import client_ip
from api.parts import ApiParts
from domain.auth import USER_AGENT_LENGTH_MAX, Origin
from infra.settings import Settings


def origin_of(request: Request, settings: Settings) -> Origin:
    """For routes that need it now and then only; the others ask for `RequestOrigin`."""
    agent = request.headers.get("user-agent", "")
    return Origin(
        ip=client_ip(request, settings) or None,
        user_agent="".join(filter(str.isprintable, agent))[:USER_AGENT_LENGTH_MAX],
        request_id=request.scope.get("request_id"),
    )


async def _origin(request: Request, parts: ApiParts) -> Origin:
    return origin_of(request, parts.settings)


RequestOrigin = Annotated[Origin, Depends(_origin)]
