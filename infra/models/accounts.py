"""Who there is, and what they may see."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.access import GrantSource
from domain.accounts import Role
from infra.models.base import Base, CreatedAt, Id, Moment, one_of


class User(Base):
    __tablename__ = "users"
    __table_args__ = (CheckConstraint(one_of("role", Role), name="role"),)

    id: Mapped[Id] = mapped_column(primary_key=True)
    handle: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str] = mapped_column(server_default=Role.FAN.value)
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[Moment | None]


class Creator(Base):
    """A user who publishes. Holds how their media is to be marked."""

    __tablename__ = "creators"

    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"), primary_key=True)
    display_name: Mapped[str]
    watermark_enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[CreatedAt]


class Entitlement(Base):
    """A right of a fan on one media, or on everything of one creator (`media_id` null)."""

    __tablename__ = "entitlements"
    __table_args__ = (
        CheckConstraint(one_of("source", GrantSource), name="source"),
        Index("ix_entitlements_fan_id_creator_id_media_id", "fan_id", "creator_id", "media_id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    fan_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    media_id: Mapped[Id | None] = mapped_column(ForeignKey("media.id"))
    source: Mapped[str]
    starts_at: Mapped[CreatedAt]
    expires_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
