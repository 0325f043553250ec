"""Posts, what they carry, and what people do with them."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from domain.posts import Audience, PostState
from infra.models.base import Base, Bytes64, CreatedAt, Id, Moment, one_of

_SHOWN = "state = 'published'"


class Post(Base):
    __tablename__ = "posts"
    __table_args__ = (
        CheckConstraint(one_of("state", PostState), name="state"),
        CheckConstraint(one_of("audience", Audience), name="audience"),
        CheckConstraint("(state = 'scheduled') = (publish_at IS NOT NULL)", name="scheduled"),
        CheckConstraint(
            "state NOT IN ('published') OR published_at IS NOT NULL", name="published_has_a_time"
        ),
        CheckConstraint(
            "(audience = 'paid') = (price_minor IS NOT NULL) "
            "AND (price_minor IS NULL) = (currency IS NULL)",
            name="paid_has_a_price",
        ),
        CheckConstraint("price_minor > 0", name="price_minor"),
        CheckConstraint(
            "(taken_down_at IS NULL) = (taken_down_reason IS NULL) "
            "AND (state <> 'taken_down' OR taken_down_at IS NOT NULL) "
            "AND (state IN ('taken_down', 'deleted') OR taken_down_at IS NULL)",
            name="taken_down_has_a_reason",
        ),
        CheckConstraint("audience <> 'tier' OR tier_id IS NOT NULL", name="tier_is_named"),
        CheckConstraint(
            "tier_id IS NULL OR audience IN ('tier', 'paid')", name="tier_fits_audience"
        ),
        Index(
            "ix_posts_creator_id_published_at_id",
            "creator_id",
            "published_at",
            "id",
            postgresql_where=text(_SHOWN),
        ),
        Index(
            "ix_posts_public",
            "creator_id",
            "published_at",
            "id",
            postgresql_where=text(f"{_SHOWN} AND audience = 'public'"),
        ),
        Index(
            "ix_posts_pinned",
            "creator_id",
            "published_at",
            "id",
            postgresql_where=text(f"{_SHOWN} AND pinned_at IS NOT NULL"),
        ),
        Index("ix_posts_creator_id_created_at_id", "creator_id", "created_at", "id"),
        Index(
            "ix_posts_unpublished",
            "creator_id",
            "created_at",
            "id",
            postgresql_where=text("state NOT IN ('published', 'deleted')"),
        ),
        Index("ix_posts_published_at_id", "published_at", "id", postgresql_where=text(_SHOWN)),
        Index("ix_posts_scheduled", "publish_at", postgresql_where=text("state = 'scheduled'")),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    state: Mapped[str]
    audience: Mapped[str]
    tier_id: Mapped[Id | None] = mapped_column(ForeignKey("tiers.id"))
    """The least tier that opens it; with `paid`: whose subscribers need not pay."""
    price_minor: Mapped[Bytes64 | None]
    currency: Mapped[str | None] = mapped_column(String(3))
    body: Mapped[str] = mapped_column(server_default="")
    comments_enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    media_count: Mapped[int] = mapped_column(server_default=text("0"))
    like_count: Mapped[int] = mapped_column(server_default=text("0"))
    comment_count: Mapped[int] = mapped_column(server_default=text("0"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    """Counts edits; the ETag is made from it."""
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
    publish_at: Mapped[Moment | None]
    published_at: Mapped[Moment | None]
    edited_at: Mapped[Moment | None]
    """Of the last edit after it was published."""
    pinned_at: Mapped[Moment | None]
    deleted_at: Mapped[Moment | None]
    taken_down_at: Mapped[Moment | None]
    """By staff. Stays when its author deletes it, so that its media are not shown again."""
    taken_down_reason: Mapped[str | None]


class PostMedia(Base):
    """What a post carries, in order. A media may be carried by several posts of its owner."""

    __tablename__ = "post_media"
    __table_args__ = (
        UniqueConstraint("post_id", "position", deferrable=True, initially="DEFERRED"),
        Index("ix_post_media_media_id", "media_id"),
    )

    post_id: Mapped[Id] = mapped_column(ForeignKey("posts.id"), primary_key=True)
    media_id: Mapped[Id] = mapped_column(ForeignKey("media.id"), primary_key=True)
    position: Mapped[int]


class PostLike(Base):
    __tablename__ = "post_likes"
    __table_args__ = (Index("ix_post_likes_user_id", "user_id"),)

    post_id: Mapped[Id] = mapped_column(ForeignKey("posts.id"), primary_key=True)
    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"), primary_key=True)
    created_at: Mapped[CreatedAt]


class Comment(Base):
    __tablename__ = "comments"
    __table_args__ = (
        Index(
            "ix_comments_post_id_created_at_id",
            "post_id",
            "created_at",
            "id",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_comments_author_id", "author_id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    post_id: Mapped[Id] = mapped_column(ForeignKey("posts.id"))
    author_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    body: Mapped[str]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[CreatedAt]
    edited_at: Mapped[Moment | None]
    deleted_at: Mapped[Moment | None]
    deleted_by: Mapped[Id | None] = mapped_column(ForeignKey("users.id"))
