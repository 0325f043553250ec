"""Requests that count once: `POST` with an `Idempotency-Key`, by somebody who is signed in.

The first request with a key is carried out and its answer kept for `IDEMPOTENCY_TTL_SECONDS`;
the same request again gets that answer, with `Idempotency-Replayed: true`. What is kept is what
was decided about the request: faults of ours (5xx) and refusals of the caller (401, 403, 429)
free the key, and so do streams, cookies, and answers that are too long to keep. Answers of
`/auth` carry secrets and are never kept, and what only decides or signs holds for now and not
for a day: a key is of no effect there.

An answer is kept before it is sent and after its route has committed. A process that dies
between the two, or a database that crashes right after, leaves the key in flight until its lock
runs out; then the request is carried out again, so whatever moves money holds on to a unique key
of its own as well. A request that lives is given up before its lock runs out, so that no two are
ever carried out at a time.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import Annotated

import structlog
from fastapi import Depends
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import API_PREFIX
from api.auth.callers import named_caller
from api.parts import Parts
from api.problems import IdempotencyKeyMissing, problem_of, problem_response
from domain.access import Caller
from domain.errors import FansworldError, Invalid, Unauthenticated, Unavailable
from infra.db import async_transaction
from infra.queries.callers import caller_standing
from infra.queries.idempotency import (
    Claim,
    KeyedRequest,
    StoredAnswer,
    claim_key,
    free_key,
    keep_answer,
)

KEY_HEADER = "idempotency-key"
REPLAYED_HEADER = "idempotency-replayed"
ANSWER_BYTES_MAX = 256 * 1024
CARRIED_SHARE = 0.8
"""Of the lock's time, in which the request has to be answered; the rest is for keeping that."""
_WITHOUT_KEYS = re.compile(
    rf"{API_PREFIX}/(auth/.*|media/[^/]+/playback|uploads/[^/]+/parts|creators/[^/]+/quote"
    r"|(media|posts):batchAccess)"
)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_NOT_KEPT = frozenset({401, 403, 408, 429})

log = structlog.get_logger(__name__)


class Idempotency:
    """Pure ASGI, inside of the limit on bodies."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key_of(scope)
        caller = named_caller(Request(scope)) if key is not None else None
        if key is None or caller is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        parts: Parts = scope["app"].state.parts
        try:
            body = await _read(receive)
        except ClientDisconnect:
            return  # Half a request is none: the key is for the one that comes whole.
        except HTTPException as error:
            response = problem_response(
                request, status=413, code="body_too_large", detail=error.detail
            )
            await response(scope, receive, send)
            return
        try:
            claimed = await _claim(parts, caller, _keyed(request, caller, key, body))
        except Unauthenticated:
            claimed = None  # The route is the one to say why.
        except FansworldError as error:
            await problem_of(request, error)(scope, receive, send)
            return
        if isinstance(claimed, StoredAnswer):
            await _replay(claimed)(scope, receive, send)
            return
        again = _Reread(body, receive)
        if claimed is None:
            await self._app(scope, again, send)
            return
        await _carry_out(self._app, parts, claimed, scope=scope, receive=again, send=send)


def _required_key(request: Request) -> str:
    key = request.headers.get(KEY_HEADER)
    if key is None:
        raise IdempotencyKeyMissing(
            "Send an Idempotency-Key, such as a UUID, that is new for each thing to pay for or to "
            "send and the same when the request is repeated: then nothing counts twice."
        )
    return key


IdempotencyKeyRequired = Annotated[str, Depends(_required_key)]
"""For routes that move money or send messages, which refuse a request without a key. Ids of rows
can be made from it and the caller, so that a repeat finds the row even where no answer was kept.
Name the operation in `KEYED` (`api/contract/document.py`) as well."""


def takes_key(method: str, path: str) -> bool:
    """Whether an Idempotency-Key is of effect there."""
    return (
        method == "POST" and path.startswith(API_PREFIX) and _WITHOUT_KEYS.fullmatch(path) is None
    )


def _key_of(scope: Scope) -> str | None:
    """The key that counts for this request, if one does."""
    if scope["type"] != "http" or not takes_key(scope["method"], scope["path"]):
        return None
    return Headers(scope=scope).get(KEY_HEADER)


async def _read(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


def _keyed(request: Request, caller: Caller, key: str, body: bytes) -> KeyedRequest:
    if not _KEY.fullmatch(key):
        raise Invalid(
            "An Idempotency-Key has 1 to 255 visible ASCII characters.",
            code="idempotency_key_invalid",
        )
    assert caller.user_id is not None
    operation = f"{request.method} {request.url.path}"
    told = (operation, request.url.query, request.headers.get("content-type", ""))
    digest = hashlib.sha256("\0".join(told).encode() + b"\0" + body).digest()
    return KeyedRequest(caller.user_id, key, operation, digest)


async def _claim(parts: Parts, caller: Caller, keyed: KeyedRequest) -> Claim | StoredAnswer:
    # A stored answer is not for a session that was ended meanwhile.
    await caller_standing(parts.reads, caller)
    # What the route commits afterwards takes this commit to the disk with it.
    async with async_transaction(parts.engine, durable=False) as session:
        return await claim_key(
            session,
            keyed,
            keys=parts.account_keys,
            now=parts.now(),
            ttl_seconds=parts.settings.idempotency_ttl_seconds,
            lock_seconds=parts.settings.idempotency_lock_seconds,
        )


def _replay(stored: StoredAnswer) -> Response:
    headers = {**stored.headers, REPLAYED_HEADER: "true"}
    return Response(stored.body, status_code=stored.status, headers=headers)


class _Reread:
    """Gives the body that was read already, then what the client does next."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _carry_out(
    app: ASGIApp, parts: Parts, claim: Claim, *, scope: Scope, receive: Receive, send: Send
) -> None:
    answer = _Answer(send)
    seconds = parts.settings.idempotency_lock_seconds * CARRIED_SHARE
    try:
        async with asyncio.timeout(seconds) as deadline:
            await app(scope, receive, answer)
    except TimeoutError:
        if not deadline.expired() or answer.passes:
            await _settle(parts, claim, None)
            raise
        # Nobody knows how far it came: the key stays in flight until its lock runs out.
        await problem_of(Request(scope), _took_too_long(seconds))(scope, receive, send)
        return
    except BaseException:
        # Whatever it was (a cancelled request too), there is no answer to keep.
        await _settle(parts, claim, None)
        raise
    await _settle(parts, claim, answer.kept())
    await answer.flush()


def _took_too_long(seconds: float) -> Unavailable:
    return Unavailable(
        "This took too long and was given up. Send it again with the same key.",
        code="took_too_long",
        seconds=round(seconds, 1),
    )


async def _settle(parts: Parts, claim: Claim, answer: StoredAnswer | None) -> None:
    try:
        # Lost in a crash of the database it is as if this process had died before: see above.
        async with async_transaction(parts.engine, durable=False) as session:
            if answer is None:
                await free_key(session, claim)
            else:
                await keep_answer(session, claim, answer, keys=parts.account_keys)
    except SQLAlchemyError as error:
        # What the route did stands, and its client should hear so. The key stays in flight.
        log.warning("idempotency_answer_lost", why=str(error).strip())


class _Answer:
    """Holds an answer back until its key is settled: who has heard it may come again at once.
    A stream, or what is too long to keep, is passed on."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._held: list[Message] = []
        self._bytes = 0
        self.passes = False
        """Whether anything of it is out already."""

    async def __call__(self, message: Message) -> None:
        if self.passes:
            await self._send(message)
            return
        self._held.append(message)
        if message["type"] == "http.response.start":
            content_type = Headers(raw=message["headers"]).get("content-type", "")
            self.passes = content_type.startswith("text/event-stream")
        else:
            self._bytes += len(message.get("body", b""))
            self.passes = self._bytes > ANSWER_BYTES_MAX
        if self.passes:
            await self.flush()

    def kept(self) -> StoredAnswer | None:
        """None where there is nothing to keep."""
        if self.passes or not self._held:
            return None
        start, *rest = self._held
        status, headers = start["status"], Headers(raw=start["headers"])
        if status >= 500 or status in _NOT_KEPT or "set-cookie" in headers:
            return None
        body = b"".join(message.get("body", b"") for message in rest)
        return StoredAnswer(status, dict(headers.items()), body)

    async def flush(self) -> None:
        while self._held:
            await self._send(self._held.pop(0))
