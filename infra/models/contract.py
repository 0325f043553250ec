"""What makes a request that is sent twice count once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, LargeBinary
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from infra.models.base import Base, CreatedAt, Moment


class IdempotencyRecord(Base):
    """The answer to a request that came with an `Idempotency-Key`; `status` null: in flight."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at"),)

    scope: Mapped[str] = mapped_column(primary_key=True)
    """Whose key it is: a user's id. Two people may choose the same key."""
    key: Mapped[str] = mapped_column(primary_key=True)
    operation: Mapped[str]
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[CreatedAt]
    locked_until: Mapped[Moment]
    """A request that did not end by then died with its process; the key is free again."""
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Wrapped: an answer may hold signed addresses, and lies here for a day."""
    key_id: Mapped[str | None]
    """The master key of accounts that has wrapped `body`."""
