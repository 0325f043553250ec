"""The audit log: who did what to what. Insert-only and hash-chained, both held by triggers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from infra.models.base import Base, CreatedAt, Id


class AuditEntry(Base):
    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_subject_type_subject_id", "subject_type", "subject_id"),
        Index("ix_audit_log_actor_id_id", "actor_id", "id"),
        Index("ix_audit_log_action_id", "action", "id"),
        Index("ix_audit_log_at", "at"),
        Index(
            "ix_audit_log_request_id",
            "request_id",
            postgresql_where=text("request_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[CreatedAt]
    actor_id: Mapped[Id | None]
    actor_name: Mapped[str]
    """A user's handle, an operator's name, or `system`."""
    action: Mapped[str]
    subject_type: Mapped[str]
    subject_id: Mapped[str]
    request_id: Mapped[str | None]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)


class AuditLink(Base):
    """An entry's place in the chain, written by a trigger when its transaction commits.

    `hash` is SHA-256 of the link before (32 zero bytes at first) and of the entry's own text;
    so no entry can be changed, taken out or put in without every later hash being wrong.
    """

    __tablename__ = "audit_links"

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(ForeignKey("audit_log.id"), unique=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
