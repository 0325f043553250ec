"""Backups that were made; what is in them lies elsewhere."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from infra.models.base import Base, Bytes64, Moment


class Backup(Base):
    """Written by `ops.backup` once all of it is on the disk. It may have been pruned since."""

    __tablename__ = "backups"
    __table_args__ = (
        CheckConstraint("begun_at <= ended_at", name="moments"),
        CheckConstraint("objects >= 0 AND object_bytes >= 0", name="counts"),
        Index("ix_backups_begun_at", "begun_at"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    begun_at: Mapped[Moment]
    """The moment that it shows."""
    ended_at: Mapped[Moment]
    objects: Mapped[Bytes64]
    object_bytes: Mapped[Bytes64]
