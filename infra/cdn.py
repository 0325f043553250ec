"""The CDN in front of storage: signed addresses, and the hook that empties its cache.

A CDN that fronts us checks each request at its edge: `token` must be the URL-safe base64
(without padding) of HMAC-SHA256 over the URL's path, a line feed and `expires`, keyed with
`CDN_SIGNING_KEY`, and `expires` (Unix seconds) must lie ahead. Paths are the same as object
keys: `m/…` lives in the media bucket, `p/…` in the public one.

The purge hook is one HTTPS address of the operator's: it gets a POST with the JSON object
`{"paths": [...]}`, where a path that ends with `/` stands for everything below it. Header
`X-Fansworld-Timestamp` is in Unix seconds, and `X-Fansworld-Signature` is `sha256=` and the
hex HMAC-SHA256, by the same key, over the timestamp, a line feed and the body.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Iterable
from datetime import datetime
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import orjson

from domain.errors import StepBlocked, Unavailable
from infra.settings import Settings

PATHS_PER_CALL = 500
TIMEOUT_SECONDS = 15.0
_MAY_PASS = frozenset({408, 425, 429})


def cdn_url(base_url: str, key: str, *, signing_key: bytes, expires_at: datetime) -> str:
    """The address of one object behind the CDN, good until `expires_at`."""
    url = f"{base_url.rstrip('/')}/{quote(key, safe='/')}"
    expires = int(expires_at.timestamp())
    token = cdn_token(urlsplit(url).path, expires, signing_key=signing_key)
    return f"{url}?expires={expires}&token={token}"


def cdn_token(path: str, expires: int, *, signing_key: bytes) -> str:
    """What the edge computes too; `path` is percent-encoded as it stands in the URL."""
    mac = hmac.digest(signing_key, f"{path}\n{expires}".encode(), "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


class Cdn:
    """The purge hook; does nothing where no address for it is configured."""

    def __init__(self, settings: Settings) -> None:
        self._purge_url = settings.cdn_purge_url
        self._base_url = settings.cdn_base_url or ""
        self._signing_key = settings.cdn_signing_key_bytes if settings.cdn_purge_url else b""
        self._opener = build_opener(_NoRedirects)

    def purge(self, keys: Iterable[str]) -> int:
        """Have the CDN forget objects, by key or by prefix (ending with `/`).

        Returns how many paths were handed over. Repeating it is safe.

        Raises:
            Unavailable: `cdn_unavailable`, the hook did not answer, or asks to come later.
            StepBlocked: `cdn_purge_refused`, the hook refuses; address or key are wrong.
        """
        if self._purge_url is None:
            return 0
        root = urlsplit(self._base_url).path.rstrip("/")
        paths = sorted({f"{root}/{quote(key, safe='/')}" for key in keys})
        for start in range(0, len(paths), PATHS_PER_CALL):
            self._post(self._purge_url, {"paths": paths[start : start + PATHS_PER_CALL]})
        return len(paths)

    def _post(self, url: str, message: dict[str, Any]) -> None:
        body = orjson.dumps(message)
        timestamp = int(time.time())
        request = Request(
            url,
            data=body,
            method="POST",
            headers={
                "Content-Type": "application/json",
                "X-Fansworld-Timestamp": str(timestamp),
                "X-Fansworld-Signature": purge_signature(
                    body, timestamp, signing_key=self._signing_key
                ),
            },
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS):
                return
        except HTTPError as error:
            with error:
                status = error.code
            if status >= 500 or status in _MAY_PASS:
                raise Unavailable(
                    f"The CDN's purge hook answered {status}.",
                    code="cdn_unavailable",
                    status=status,
                ) from error
            raise StepBlocked(
                f"The CDN's purge hook refused the call with {status}. Check CDN_PURGE_URL and "
                "CDN_SIGNING_KEY, then retry.",
                code="cdn_purge_refused",
                status=status,
            ) from error
        except (OSError, HTTPException) as error:
            raise Unavailable(
                f"The CDN's purge hook did not answer: {error}", code="cdn_unavailable"
            ) from error


def purge_signature(body: bytes, timestamp: int, *, signing_key: bytes) -> str:
    mac = hmac.digest(signing_key, f"{timestamp}\n".encode() + body, "sha256")
    return f"sha256={mac.hex()}"


class _NoRedirects(HTTPRedirectHandler):
    """A followed redirect would turn the POST into a GET and look like success."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None
