"""URLs that carry their own permission: AWS Signature Version 4 in the query string.

botocore signs the same URL in about 440 µs; a playlist of a two-hour video needs 1,800 of
them for each rung. What changes from one URL to the next is only the key, so everything
else is made once for each batch. A test holds the result to botocore's byte for byte.

Source of the rules: "Authenticating Requests: Using Query Parameters (AWS Signature
Version 4)", Amazon S3 API Reference.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from mypy_boto3_s3.client import S3Client

_PROBE_KEY = "k"
_DIGEST = "sha256"


@dataclass(frozen=True)
class SignedRequest:
    """What a client sends: its method, the URL, and headers that are part of the signature."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _BucketAddress:
    """`origin` + `path` + percent-encoded key is the URL of an object."""

    origin: str
    host: str
    path: str


class QuerySigner:
    """Signs requests to one endpoint. Thread-safe: what it caches is replaced, never changed."""

    def __init__(self, client: S3Client, keys: Credentials, *, region: str) -> None:
        self._client = client
        self._keys = keys
        self._region = region
        self._addresses: dict[str, _BucketAddress] = {}
        self._signing_key: tuple[tuple[str, str], bytes] | None = None

    def sign(
        self,
        method: str,
        bucket: str,
        key: str,
        *,
        ttl_seconds: int,
        now: datetime,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """The URL that allows `method` on one object until `now` + `ttl_seconds`.

        `now` is in UTC. `headers` have lower-case names and must be sent exactly as signed.
        """
        keys = self._keys.get_frozen_credentials()
        access_key, secret_key = keys.access_key or "", keys.secret_key or ""
        timestamp = now.strftime("%Y%m%dT%H%M%SZ")
        day = timestamp[:8]
        address = self.address(bucket)
        scope = f"{day}/{self._region}/s3/aws4_request"
        signed_headers, header_block = _header_block(address.host, headers)
        path = address.path + quote(key, safe="/")
        auth_query = (
            "X-Amz-Algorithm=AWS4-HMAC-SHA256"
            f"&X-Amz-Credential={quote(access_key, safe='')}%2F{scope.replace('/', '%2F')}"
            f"&X-Amz-Date={timestamp}&X-Amz-Expires={ttl_seconds}"
        )
        names = f"&X-Amz-SignedHeaders={signed_headers.replace(';', '%3B')}"
        token = f"&X-Amz-Security-Token={quote(keys.token, safe='')}" if keys.token else ""
        own_query = _encoded(query)
        canonical_query = _sorted_query(own_query, auth_query + token + names)
        canonical_request = (
            f"{method}\n{path}\n{canonical_query}\n{header_block}\n{signed_headers}\n"
            "UNSIGNED-PAYLOAD"
        )
        digest = hashlib.sha256(canonical_request.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}"
        signature = hmac.digest(self._key_of_day(secret_key, day), to_sign.encode(), _DIGEST).hex()
        operation = f"{own_query}&" if own_query else ""
        return (
            f"{address.origin}{path}?{operation}{auth_query}{names}{token}"
            f"&X-Amz-Signature={signature}"
        )

    def address(self, bucket: str) -> _BucketAddress:
        """Where the bucket lives; botocore's own endpoint rules decide, once for each bucket."""
        known = self._addresses.get(bucket)
        if known is None:
            url = self._client.generate_presigned_url(
                "get_object", Params={"Bucket": bucket, "Key": _PROBE_KEY}
            )
            parts = urlsplit(url)
            known = _BucketAddress(
                origin=f"{parts.scheme}://{parts.netloc}",
                host=_host_header(parts.scheme, parts.hostname or "", parts.port),
                path=parts.path.removesuffix(_PROBE_KEY),
            )
            self._addresses[bucket] = known
        return known

    def _key_of_day(self, secret: str, day: str) -> bytes:
        cached = self._signing_key
        if cached is not None and cached[0] == (secret, day):
            return cached[1]
        key = f"AWS4{secret}".encode()
        for part in (day, self._region, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), _DIGEST)
        self._signing_key = ((secret, day), key)
        return key


def _host_header(scheme: str, hostname: str, port: int | None) -> str:
    """Clients leave a default port out of the Host header, so it must not be signed."""
    usual = {"http": 80, "https": 443}.get(scheme)
    name = f"[{hostname}]" if ":" in hostname else hostname
    return name if port in (None, usual) else f"{name}:{port}"


def _header_block(host: str, headers: Mapping[str, str] | None) -> tuple[str, str]:
    if not headers:
        return "host", f"host:{host}\n"
    every = sorted([("host", host), *headers.items()])
    block = "".join(f"{name}:{' '.join(value.split())}\n" for name, value in every)
    return ";".join(name for name, _ in every), block


def _encoded(query: Mapping[str, str] | None) -> str:
    if not query:
        return ""
    return "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query.items()
    )


def _sorted_query(own: str, auth: str) -> str:
    """Canonical order is by name; ours are already in order unless an operation adds some."""
    if not own and "Security-Token" not in auth:
        return auth
    pairs = [pair.split("=", 1) for pair in f"{own}&{auth}".split("&") if pair]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def answer_headers(*, content_type: str | None, download_name: str | None) -> dict[str, str]:
    """Query parameters by which a GET overrides headers of its answer.

    A file name is given twice (RFC 6266): plain for old clients, exact for the others.
    """
    query: dict[str, str] = {}
    if content_type is not None:
        query["response-content-type"] = content_type
    if download_name is not None:
        plain = "".join(
            char if char.isascii() and char.isprintable() and char not in '"\\%' else "_"
            for char in download_name
        )
        query["response-content-disposition"] = (
            f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(download_name, safe='')}"
        )
    return query
