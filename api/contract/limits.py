"""Rate limits: how many requests one account, or one address, may send.

api       every request; of an account, or of an address that is not signed in
uploads   `POST /uploads`
auth      tries to prove who one is, of the address and of the account; routes count these

Answers carry `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers). Probes,
documents and what players fetch with tickets have no limit: a ticket was counted when it was
given out, and playback must not stutter because somebody scrolls fast.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import API_PREFIX
from api.auth.callers import named_caller
from api.clients import client_ip
from api.parts import Parts
from api.problems import problem_of
from domain.errors import RateLimited
from domain.limits import Count, Quota
from infra.limits import Bucket, Limiter
from infra.settings import Settings

MINUTE_SECONDS = 60
AUTH_WINDOW_SECONDS = 15 * MINUTE_SECONDS
IPV6_PREFIX = 64
"""What one customer of a provider has at least; single addresses are free to change."""
STRANGERS_FACTOR = 10
_PLAYED = re.compile(rf"{API_PREFIX}/media/[^/]+/(hls/.*|storyboard\.vtt)")
_UPLOADS = f"{API_PREFIX}/uploads"


class RateLimits:
    """Pure ASGI: counts a request before anything else is done for it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_limited(scope["path"]):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        parts: Parts = scope["app"].state.parts
        buckets = _buckets_of(request, parts)
        counts = await parts.limiter.hit(*buckets)
        headers = _headers(buckets, counts)
        refused = _refused(buckets, counts)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        if refused is not None:
            await problem_of(request, refused)(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


def is_limited(path: str) -> bool:
    """Whether requests for this path are counted."""
    return path.startswith(API_PREFIX) and _PLAYED.fullmatch(path) is None


@dataclass(frozen=True, slots=True)
class Tries:
    """A try to prove who one is, counted as if it were wrong."""

    limiter: Limiter
    buckets: tuple[Bucket, ...]

    async def succeeded(self) -> None:
        """It was right: only wrong ones count."""
        await self.limiter.give_back(*self.buckets)


async def limit_sign_in(
    request: Request, parts: Parts, *, account: str | None = None, by_strangers: bool = False
) -> Tries:
    """Count a try to prove who one is, of the caller's address and of `account`.

    `account` is what the caller says that they are: an e-mail address or a user's id, whether
    or not there is such an account. While Valkey is away each process lets half as many pass.

    Args:
        by_strangers: anybody can try, knowing nothing. Then the account's tries are counted for
            each address apart, so that a stranger can't use up those of its owner, and
            `STRANGERS_FACTOR` times as many are the most from all addresses together.

    Raises:
        RateLimited: 429.
    """
    address = _address_subject(request, parts.settings)
    subjects = {address: 1}
    if account is not None:
        # A hash, because Valkey needs to know nobody's address.
        name = hashlib.sha256(account.strip().casefold().encode()).hexdigest()[:32]
        if by_strangers:
            subjects |= {f"{name}:{address}": 1, name: STRANGERS_FACTOR}
        else:
            subjects |= {name: 1}
    tries = parts.settings.rate_limit_auth_per_15_minutes
    buckets = tuple(
        Bucket(
            Quota("auth", tries * factor, AUTH_WINDOW_SECONDS), subject, max(1, tries * factor // 2)
        )
        for subject, factor in subjects.items()
    )
    counts = await parts.limiter.hit(*buckets)
    refused = _refused(buckets, counts)
    if refused is not None:
        # It is not made, so it counts nowhere: else one address that has no tries left would go
        # on using up those of the account.
        passed = [each for each, counted in zip(buckets, counts, strict=True) if counted.allowed]
        await parts.limiter.give_back(*passed)
        raise refused
    return Tries(parts.limiter, buckets)


def _buckets_of(request: Request, parts: Parts) -> list[Bucket]:
    settings = parts.settings
    caller = named_caller(request)
    named = caller.user_id if caller is not None else None
    subject = named or _address_subject(request, settings)
    api = Quota("api", settings.rate_limit_api_per_minute, MINUTE_SECONDS)
    buckets = [Bucket(api, subject, may_lag=True)]
    if request.method == "POST" and request.url.path == _UPLOADS:
        uploads = Quota("uploads", settings.rate_limit_uploads_per_minute, MINUTE_SECONDS)
        buckets.append(Bucket(uploads, subject))
    return buckets


def _address_subject(request: Request, settings: Settings) -> str:
    address = client_ip(request, settings)
    if address and isinstance(ip_address(address), IPv6Address):
        address = str(ip_network((address, IPV6_PREFIX), strict=False))
    return f"ip:{address}"


def _refused(buckets: Sequence[Bucket], counts: Sequence[Count]) -> RateLimited | None:
    """The refusal that holds longest."""
    pairs = zip(counts, buckets, strict=True)
    over = [(each.wait_seconds, bucket) for each, bucket in pairs if not each.allowed]
    if not over:
        return None
    wait_seconds, bucket = max(over, key=lambda pair: pair[0])
    return RateLimited(
        f"Too many requests. Try again in {wait_seconds} s.",
        limit=bucket.quota.name,
        retry_after_seconds=wait_seconds,
    )


def _headers(buckets: Sequence[Bucket], counts: Sequence[Count]) -> dict[str, str]:
    quotas = [bucket.quota for bucket in buckets]
    policies = [f'"{each.name}";q={each.requests};w={each.window_seconds}' for each in quotas]
    states = [
        f'"{quota.name}";r={each.remaining};t={each.wait_seconds}'
        for quota, each in zip(quotas, counts, strict=True)
    ]
    return {"ratelimit-policy": ", ".join(policies), "ratelimit": ", ".join(states)}
