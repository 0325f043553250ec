"""Conversations, their messages, and what those carry."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from domain.messages import MessageState
from infra.models.base import Base, Bytes64, CreatedAt, Id, Moment, one_of


class Conversation(Base):
    """Of a creator and a fan. Its id is derived from both, whoever of them is which
    (`domain.messages.conversation_id`)."""

    __tablename__ = "conversations"
    __table_args__ = (
        UniqueConstraint("creator_id", "fan_id"),
        CheckConstraint("creator_id <> fan_id", name="two_people"),
        Index(
            "ix_conversations_creator_id_last_message_at_id",
            *("creator_id", "last_message_at", "id"),
        ),
        Index("ix_conversations_fan_id_last_message_at_id", "fan_id", "last_message_at", "id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    fan_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    last_seq: Mapped[Bytes64] = mapped_column(server_default=text("0"))
    """Of the newest message, also where that was deleted. Whoever sends locks the row."""
    last_message_at: Mapped[Moment]
    created_at: Mapped[CreatedAt]


class Message(Base):
    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("conversation_id", "seq"),
        # A message that is sent again is the same one.
        UniqueConstraint("sender_id", "client_msg_id"),
        CheckConstraint(one_of("state", MessageState), name="state"),
        CheckConstraint("(state = 'deleted') = (deleted_at IS NOT NULL)", name="deleted_at"),
        CheckConstraint("(price_minor IS NULL) = (currency IS NULL)", name="price_has_a_currency"),
        CheckConstraint("price_minor > 0", name="price_minor"),
        CheckConstraint("seq > 0", name="seq"),
        CheckConstraint("body <> '' OR media_count > 0", name="not_empty"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    conversation_id: Mapped[Id] = mapped_column(ForeignKey("conversations.id"))
    seq: Mapped[Bytes64]
    """From 1 in each conversation, without gaps."""
    sender_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    client_msg_id: Mapped[Id]
    body: Mapped[str] = mapped_column(server_default="")
    price_minor: Mapped[Bytes64 | None]
    """Null: its receiver need not pay."""
    currency: Mapped[str | None] = mapped_column(String(3))
    state: Mapped[str]
    media_count: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[Moment | None]


class MessageMedia(Base):
    """What a message carries, in order."""

    __tablename__ = "message_media"
    __table_args__ = (
        UniqueConstraint("message_id", "position"),
        # Decisions on a media ask for the messages that carry it to one person.
        Index("ix_message_media_media_id_receiver_id", "media_id", "receiver_id"),
    )

    message_id: Mapped[Id] = mapped_column(ForeignKey("messages.id"), primary_key=True)
    media_id: Mapped[Id] = mapped_column(ForeignKey("media.id"), primary_key=True)
    position: Mapped[int]
    receiver_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    """Of the message."""
