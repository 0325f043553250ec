"""Who there is, whom they follow and block, and who wants to publish."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, CITEXT, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from domain.accounts import ApplicationState, Role
from infra.models.base import Base, Bytes64, CreatedAt, Id, Moment, one_of

_LIVE = "deleted_at IS NULL"


class User(Base):
    """An account. `email` is unique among those that have shown that it is theirs."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint(one_of("role", Role), name="role"),
        Index(
            "uq_users_email_verified",
            "email",
            unique=True,
            postgresql_where=text(f"email_verified_at IS NOT NULL AND {_LIVE}"),
        ),
        Index(
            "ix_users_unverified",
            "created_at",
            postgresql_where=text("email IS NOT NULL AND email_verified_at IS NULL"),
        ),
        Index("ix_users_email", "email"),
        Index("ix_users_handle_prefix", "handle", postgresql_ops={"handle": "text_pattern_ops"}),
        Index(
            "ix_users_search",
            "search_text",
            postgresql_using="gin",
            postgresql_ops={"search_text": "gin_trgm_ops"},
            postgresql_where=text(f"role = 'creator' AND {_LIVE}"),
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    handle: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str] = mapped_column(server_default=Role.FAN.value)
    email: Mapped[str | None] = mapped_column(CITEXT)
    email_verified_at: Mapped[Moment | None]
    password_hash: Mapped[str | None]
    """argon2id in PHC form; null where somebody signs in by passkey alone, or can't."""
    password_changed_at: Mapped[Moment | None]
    display_name: Mapped[str]
    search_text: Mapped[str] = mapped_column(
        Computed("handle || ' ' || lower(display_name)", persisted=True)
    )
    bio: Mapped[str] = mapped_column(server_default="")
    avatar_media_id: Mapped[Id | None] = mapped_column(
        ForeignKey("media.id", use_alter=True, name="fk_users_avatar_media_id_media")
    )
    cover_media_id: Mapped[Id | None] = mapped_column(
        ForeignKey("media.id", use_alter=True, name="fk_users_cover_media_id_media")
    )
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    """What a person chose for themselves, as `api/users/schemas.py` lists it."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    """Counts edits of profile and settings; the ETag is made from it."""
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    suspended_at: Mapped[Moment | None]
    """By staff: can't sign in, is not shown; ends when it is null again."""
    deleted_at: Mapped[Moment | None]


class FormerHandle(Base):
    """A handle that somebody has changed for another. It stays theirs: watermarks, links and
    mentions out in the world name it, and nobody else shall answer to them.

    A trigger on `users` refuses it to others, as if it were taken.
    """

    __tablename__ = "former_handles"
    __table_args__ = (Index("ix_former_handles_user_id", "user_id"),)

    handle: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    given_up_at: Mapped[Moment]


class Creator(Base):
    """A user who publishes."""

    __tablename__ = "creators"
    __table_args__ = (
        CheckConstraint("subscriber_discount_bps BETWEEN 0 AND 9000", name="discount_bps"),
        CheckConstraint("tip_minimum_minor > 0", name="tip_minimum_minor"),
    )

    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"), primary_key=True)
    watermark_enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    blocked_countries: Mapped[list[str]] = mapped_column(
        ARRAY(String(2)), server_default=text("'{}'")
    )
    """ISO 3166-1 alpha-2; viewers there see nothing of this creator."""
    follower_count: Mapped[int] = mapped_column(server_default=text("0"))
    currency: Mapped[str] = mapped_column(String(3), server_default=text("'USD'"))
    """Of all their tiers, codes and settings; stays once there are any."""
    subscriber_discount_bps: Mapped[int] = mapped_column(server_default=text("0"))
    """What subscribers pay less when they unlock something."""
    tip_minimum_minor: Mapped[Bytes64 | None]
    """Least tip, in their currency; null: the platform's."""
    created_at: Mapped[CreatedAt]


class CreatorApplication(Base):
    """Somebody's wish to publish, and what staff said to it. One open one a person."""

    __tablename__ = "creator_applications"
    __table_args__ = (
        CheckConstraint(one_of("state", ApplicationState), name="state"),
        CheckConstraint("(state = 'submitted') = (decided_at IS NULL)", name="decided_has_a_time"),
        Index(
            "uq_creator_applications_open",
            "user_id",
            unique=True,
            postgresql_where=text("state = 'submitted'"),
        ),
        Index("ix_creator_applications_state_created_at_id", "state", "created_at", "id"),
        Index("ix_creator_applications_user_id_created_at", "user_id", "created_at"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    state: Mapped[str] = mapped_column(server_default=ApplicationState.SUBMITTED.value)
    statement: Mapped[str]
    """In their own words: what they want to publish."""
    decided_by: Mapped[Id | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[Moment | None]
    reason: Mapped[str | None]
    """For the applicant; always there with a rejection."""
    created_at: Mapped[CreatedAt]


class Follow(Base):
    __tablename__ = "follows"
    __table_args__ = (
        CheckConstraint("fan_id <> creator_id", name="not_oneself"),
        Index("ix_follows_creator_id_created_at", "creator_id", "created_at"),
        Index("ix_follows_fan_id_created_at", "fan_id", "created_at"),
    )

    fan_id: Mapped[Id] = mapped_column(ForeignKey("users.id"), primary_key=True)
    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"), primary_key=True)
    created_at: Mapped[CreatedAt]


class Block(Base):
    """`blocker_id` wants nothing to do with `blocked_id`; it hides each from the other."""

    __tablename__ = "blocks"
    __table_args__ = (
        CheckConstraint("blocker_id <> blocked_id", name="not_oneself"),
        Index("ix_blocks_blocked_id", "blocked_id"),
        Index("ix_blocks_blocker_id_created_at", "blocker_id", "created_at"),
    )

    blocker_id: Mapped[Id] = mapped_column(ForeignKey("users.id"), primary_key=True)
    blocked_id: Mapped[Id] = mapped_column(ForeignKey("users.id"), primary_key=True)
    created_at: Mapped[CreatedAt]
