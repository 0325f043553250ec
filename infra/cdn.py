"""The CDN in front of storage: signed addresses, and the hook that empties its cache.

A CDN that fronts us checks each request at its edge: `token` must be the URL-safe base64
(without padding) of HMAC-SHA256 over the URL's path, a line feed and `expires`, keyed with
`CDN_SIGNING_KEY`, and `expires` (Unix seconds) must lie ahead. Paths are the same as object
keys: `m/…` lives in the media bucket, `p/…` in the public one.
"""

from __future__ import annotations

import base64
import hmac
from datetime import datetime
from urllib.parse import quote, urlsplit


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
