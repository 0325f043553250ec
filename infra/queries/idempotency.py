"""Which request came first with a key, and what it was answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import Conflict, Invalid
from infra.keyring import KeyRing
from infra.models import IdempotencyRecord


@dataclass(frozen=True, slots=True)
class Claim:
    """This request is the one to be carried out."""

    scope: str
    key: str
    locked_until: datetime
    """Also tells this claim from a later one, where a process was slow and not dead."""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    scope: str
    key: str
    operation: str
    request_hash: bytes


async def claim_key(
    session: AsyncSession,
    request: KeyedRequest,
    *,
    keys: KeyRing,
    now: datetime,
    ttl_seconds: int,
    lock_seconds: int,
) -> Claim | StoredAnswer:
    """Be the first to send this key, or get what the first was answered.

    Of two at a time one waits for the other's row, so that exactly one of them claims it. A
    request has to be over within `lock_seconds`: then it counts as died, and the key is free.

    Raises:
        Conflict: `idempotency_in_flight`; the first is not answered yet.
        Invalid: `idempotency_key_reused`; the first was another request.
    """
    record = IdempotencyRecord
    fresh = {
        "operation": request.operation,
        "request_hash": request.request_hash,
        "created_at": now,
        "locked_until": now + timedelta(seconds=lock_seconds),
        "status": None,
        "headers": None,
        "body": None,
        "key_id": None,
    }
    is_over = record.created_at <= now - timedelta(seconds=ttl_seconds)
    died = and_(
        record.status.is_(None),
        record.locked_until <= now,
        record.request_hash == request.request_hash,
    )
    claimed = await session.scalar(
        insert(record)
        .values(scope=request.scope, key=request.key, **fresh)
        .on_conflict_do_update(
            index_elements=[record.scope, record.key], set_=fresh, where=or_(is_over, died)
        )
        .returning(record.locked_until)
    )
    if claimed is not None:
        return Claim(request.scope, request.key, claimed)
    first = await session.scalar(
        select(record).where(record.scope == request.scope, record.key == request.key)
    )
    if first is not None and first.request_hash != request.request_hash:
        raise Invalid(
            "This Idempotency-Key came with another request before.", code="idempotency_key_reused"
        )
    if first is None or first.status is None:
        # None: the first has ended without an answer to keep, just now.
        raise Conflict(
            "The first request with this Idempotency-Key is not answered yet. Try again.",
            code="idempotency_in_flight",
        )
    assert first.key_id is not None and first.body is not None
    body = keys.unwrap(first.key_id, first.body)
    return StoredAnswer(first.status, first.headers or {}, body)


async def keep_answer(
    session: AsyncSession, claim: Claim, answer: StoredAnswer, *, keys: KeyRing
) -> None:
    key_id, body = keys.wrap(answer.body)
    await session.execute(
        update(IdempotencyRecord)
        .where(*_is(claim))
        .values(status=answer.status, headers=answer.headers, body=body, key_id=key_id)
    )


async def free_key(session: AsyncSession, claim: Claim) -> None:
    """Nothing came of the request; it may be sent again under the same key."""
    await session.execute(delete(IdempotencyRecord).where(*_is(claim)))


def _is(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    record = IdempotencyRecord
    return (
        record.scope == claim.scope,
        record.key == claim.key,
        record.locked_until == claim.locked_until,
        record.status.is_(None),
    )
