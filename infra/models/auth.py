"""How people prove who they are: sessions, second factors, mails that carry a proof.

No secret is stored as such: refresh tokens and recovery codes are hashed, TOTP secrets are
wrapped by a master key, and the tokens in mails are made from their row's id by a key.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, CITEXT, INET, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from domain.auth import ChallengeKind, MailKind, SessionMode
from infra.models.base import Base, CreatedAt, Id, Moment, one_of


class AuthSession(Base):
    """One sign-in on one device: a family of refresh tokens that live and die together."""

    __tablename__ = "auth_sessions"
    __table_args__ = (
        CheckConstraint(one_of("mode", SessionMode), name="mode"),
        Index("ix_auth_sessions_live", "user_id", postgresql_where=text("revoked_at IS NULL")),
        Index("ix_auth_sessions_expires_at", "expires_at"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    mode: Mapped[str] = mapped_column(server_default=SessionMode.BEARER.value)
    methods: Mapped[list[str]] = mapped_column(ARRAY(String), server_default=text("'{}'"))
    """How it was proved, as RFC 8176 names it: `pwd`, `otp`, `mfa`, `hwk`."""
    user_agent: Mapped[str] = mapped_column(server_default="")
    ip: Mapped[str | None] = mapped_column(INET)
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[CreatedAt]
    proved_at: Mapped[CreatedAt]
    """When its holder last gave a credential; step-up moves it on."""
    second_factor_at: Mapped[Moment | None]
    expires_at: Mapped[Moment]
    revoked_at: Mapped[Moment | None]
    revoked_reason: Mapped[str | None]


class RefreshToken(Base):
    """One link of a session's chain; used once."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (
        Index("ix_refresh_tokens_session_id", "session_id"),
        Index("ix_refresh_tokens_used_at", "used_at", postgresql_where=text("used_at IS NOT NULL")),
    )

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    """SHA-256 of the token, which holds 256 random bits."""
    session_id: Mapped[Id] = mapped_column(ForeignKey("auth_sessions.id", ondelete="CASCADE"))
    issued_at: Mapped[CreatedAt]
    used_at: Mapped[Moment | None]
    detours: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    """How often in a row its line went on by the grace, beside the one that was used first."""


class TotpSecret(Base):
    """RFC 6238. Counts only once it is confirmed by a code."""

    __tablename__ = "totp_secrets"

    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"), primary_key=True)
    key_id: Mapped[str]
    secret_wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    confirmed_at: Mapped[Moment | None]
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    """Time step of the last code that was taken; none is taken twice (RFC 6238 §5.2)."""
    created_at: Mapped[CreatedAt]


class RecoveryCode(Base):
    __tablename__ = "recovery_codes"

    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    used_at: Mapped[Moment | None]


class Passkey(Base):
    """A WebAuthn credential."""

    __tablename__ = "passkeys"
    __table_args__ = (Index("ix_passkeys_user_id", "user_id"),)

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str]
    transports: Mapped[list[str]] = mapped_column(ARRAY(String), server_default=text("'{}'"))
    backed_up: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[Moment | None]


class AuthChallenge(Base):
    """A step between two requests: a WebAuthn challenge, or a password that was right where a
    second factor is still due. Used once, within minutes."""

    __tablename__ = "auth_challenges"
    __table_args__ = (
        CheckConstraint(one_of("kind", ChallengeKind), name="kind"),
        Index("ix_auth_challenges_expires_at", "expires_at"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    kind: Mapped[str]
    user_id: Mapped[Id | None] = mapped_column(ForeignKey("users.id"))
    session_id: Mapped[Id | None] = mapped_column(
        ForeignKey("auth_sessions.id", ondelete="CASCADE")
    )
    challenge: Mapped[bytes] = mapped_column(LargeBinary)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Moment]
    used_at: Mapped[Moment | None]


class Mail(Base):
    """A mail to be sent, or sent. The token in it follows from its id."""

    __tablename__ = "mails"
    __table_args__ = (
        CheckConstraint(one_of("kind", MailKind), name="kind"),
        Index("ix_mails_user_id", "user_id"),
        Index("ix_mails_created_at", "created_at"),
        Index(
            "ix_mails_unsent",
            "created_at",
            postgresql_where=text("sent_at IS NULL AND given_up_at IS NULL"),
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str]
    address: Mapped[str] = mapped_column(CITEXT)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    """What the text names, such as a device. Never a secret."""
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Moment | None]
    """Of its token, where it carries one."""
    sent_at: Mapped[Moment | None]
    """When the mail server took it."""
    used_at: Mapped[Moment | None]
    """When its token was taken."""
    given_up_at: Mapped[Moment | None]
    given_up_reason: Mapped[str | None]
    """`expired`, `skipped` or `cancelled` by an operator, or the status of its refusal."""
