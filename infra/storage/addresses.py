"""Addresses that viewers fetch objects by: lasting ones of previews, signed ones of the rest."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import quote

from infra.cdn import cdn_url
from infra.settings import Settings
from infra.storage.signing import QuerySigner

_KEPT_MAX = 16_384
"""Signed addresses that one process remembers, of about half a kilobyte each."""


class ViewerAddresses:
    """Addresses at storage, or at the CDN where there is one."""

    def __init__(self, signer: QuerySigner, settings: Settings) -> None:
        self._signer = signer
        self._settings = settings
        self._signed = lru_cache(_KEPT_MAX)(self._sign)

    def signed(
        self, bucket: str, key: str, *, ttl_seconds: int, overrides: Mapping[str, str]
    ) -> str:
        """A URL that anyone may GET until it expires.

        It is dated back by up to a tenth of `ttl_seconds`. Whoever asks again soon gets the same
        URL, which a browser then need not fetch again, and which is not signed again here.

        `overrides` are headers of the answer. A CDN can't be relied on to set them, therefore
        such URLs go to storage, and so does quarantine.
        """
        if overrides:
            at = signed_at(datetime.now(UTC), ttl_seconds=ttl_seconds)
            return self._signer.sign(
                "GET", bucket, key, ttl_seconds=ttl_seconds, now=at, query=overrides
            )
        return self._signed(bucket, key, ttl_seconds, int(time.time()) // _step(ttl_seconds))

    def lasting(self, bucket: str, key: str) -> str:
        """The address of an object that anyone may fetch at any time."""
        base_url = self._settings.cdn_base_url
        if base_url:
            return f"{base_url.rstrip('/')}/{quote(key, safe='/')}"
        address = self._signer.address(bucket)
        return f"{address.origin}{address.path}{quote(key, safe='/')}"

    def _sign(self, bucket: str, key: str, ttl_seconds: int, step: int) -> str:
        at = datetime.fromtimestamp(step * _step(ttl_seconds), UTC)
        base_url = self._settings.cdn_base_url
        if base_url and bucket != self._settings.s3_bucket_quarantine:
            return cdn_url(
                base_url,
                key,
                signing_key=self._settings.cdn_signing_key_bytes,
                expires_at=at + timedelta(seconds=ttl_seconds),
            )
        return self._signer.sign("GET", bucket, key, ttl_seconds=ttl_seconds, now=at)


def signed_at(now: datetime, *, ttl_seconds: int) -> datetime:
    """The moment that an address of such a life bears: `now` rounded down to tenths of that
    life. The address holds for nine tenths of it at least."""
    step_seconds = _step(ttl_seconds)
    seconds = int(now.timestamp())
    return datetime.fromtimestamp(seconds - seconds % step_seconds, UTC)


def _step(ttl_seconds: int) -> int:
    return max(1, ttl_seconds // 10)
