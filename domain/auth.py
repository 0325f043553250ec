"""Rules of signing in: what counts as proof, how long it counts, what a password must be."""

from __future__ import annotations

from enum import StrEnum


class SessionMode(StrEnum):
    BEARER = "bearer"
    """Tokens in headers and bodies: apps and scripts."""
    COOKIE = "cookie"
    """Tokens in `__Host-` cookies that scripts can't read: browsers."""


class ChallengeKind(StrEnum):
    SECOND_FACTOR = "second_factor"
    PASSKEY_REGISTRATION = "passkey_registration"
    PASSKEY_SIGN_IN = "passkey_sign_in"
    PASSKEY_STEP_UP = "passkey_step_up"


class MailKind(StrEnum):
    VERIFY_EMAIL = "verify_email"
    ALREADY_REGISTERED = "already_registered"
    """Somebody tried to register an address that has an account."""
    RESET_PASSWORD = "reset_password"
    SECURITY_NOTICE = "security_notice"
    """A credential was changed, added or taken away."""


class SessionEnd(StrEnum):
    """Why a session was ended before its time."""

    SIGNED_OUT = "signed_out"
    SIGNED_OUT_EVERYWHERE = "signed_out_everywhere"
    REVOKED = "revoked"
    """By its owner, from another device."""
    TOKEN_REUSED = "token_reused"
    """A refresh token was used twice: it is in two hands."""
    PASSWORD_CHANGED = "password_changed"
    PASSWORD_RESET = "password_reset"
    BY_STAFF = "by_staff"
