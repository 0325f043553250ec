"""Which sites may call the API from a browser (CORS)."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from api.problems import problem_response

_ASKED = "access-control-request-method"


class Cors(CORSMiddleware):
    """Starlette's; a preflight that it refuses is answered with a problem, as all else is."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        asks = "origin" in headers and _ASKED in headers and scope["method"] == "OPTIONS"
        if not asks:
            await super().__call__(scope, receive, send)
            return
        answer = self.preflight_response(request_headers=headers)
        if answer.status_code != 200:
            answer = problem_response(
                Request(scope),
                status=answer.status_code,
                code="cors_refused",
                detail=f"{bytes(answer.body).decode()}.",
                headers={"vary": answer.headers["vary"]},
            )
        await answer(scope, receive, send)
