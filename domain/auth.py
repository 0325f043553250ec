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
