"""The cookies of browsers that are signed in.

`__Host-`: browsers take such a cookie from this very host only, over TLS (or from localhost),
for all paths (RFC 6265bis §4.1.3.2); no neighbouring subdomain can plant one.
"""

from __future__ import annotations

from fastapi import Response

ACCESS_COOKIE = "__Host-fansworld-access"
REFRESH_COOKIE = "__Host-fansworld-refresh"


def set_cookies(response: Response, *, access_token: str, refresh_token: str, seconds: int) -> None:
    """Both live as long as the session. The access token's cookie outlives the token itself, so
    that a browser that comes back hears `token_expired`, which says: refresh, not: sign in."""
    _set_cookie(response, ACCESS_COOKIE, access_token, seconds=seconds)
    _set_cookie(response, REFRESH_COOKIE, refresh_token, seconds=seconds)


def clear_cookies(response: Response) -> None:
    for name in (ACCESS_COOKIE, REFRESH_COOKIE):
        _set_cookie(response, name, "", seconds=0)


def _set_cookie(response: Response, name: str, value: str, *, seconds: int) -> None:
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax"
    )
