"""Holds foreign sites off from browsers that are signed in by cookies: pure ASGI."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth.cookies import ACCESS_COOKIE, REFRESH_COOKIE
from api.problems import problem_response

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({"same-origin", "none"})


class CsrfGuard:
    """Refuses what another site makes a browser send, on every route (403 `csrf_refused`).

    Browsers say where a request comes from (`Sec-Fetch-Site`, `Origin`), and no page can
    make them lie. A request that changes something has to come from this origin or from one
    of `CORS_ORIGINS`. That holds without cookies as well: signing somebody in to another's
    account is such an attack too. A request with an `Authorization` header is exempt, because a
    foreign page can't add one without being allowed to (CORS), and so is one that comes with
    neither cookies nor signs of a browser.
    """

    def __init__(self, app: ASGIApp, *, own_url: str, origins: tuple[str, ...]) -> None:
        self._app = app
        own = urlsplit(own_url)
        self._origins = frozenset({f"{own.scheme}://{own.netloc}", *origins})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._may_pass(request := Request(scope)):
            await self._app(scope, receive, send)
            return
        response = problem_response(
            request,
            status=403,
            code="csrf_refused",
            detail="This request was made by a site that may not act here.",
        )
        await response(scope, receive, send)

    def _may_pass(self, request: Request) -> bool:
        headers = request.headers
        if request.method in _SAFE_METHODS or "authorization" in headers:
            return True
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site in _OWN_SITES:
            return True
        if site is None and origin is None:
            return not (request.cookies.keys() & {ACCESS_COOKIE, REFRESH_COOKIE})
        return origin in self._origins
