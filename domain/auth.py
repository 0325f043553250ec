"""Rules of signing in: what counts as proof, how long it counts, what a password must be."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import Invalid

PASSWORD_CHARACTERS_MIN = 12
PASSWORD_CHARACTERS_MAX = 128
USER_AGENT_LENGTH_MAX = 256
_OWN_WORD_MIN = 3
_UNRELATED_MIN = 8
"""Characters that a password needs besides what can be read in its account's profile."""


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
    CHANGE_EMAIL = "change_email"
    """To the address that somebody wants to sign in with from now on."""
    SECURITY_NOTICE = "security_notice"
    """A credential was changed, added or taken away."""
    APPLICATION_DECIDED = "application_decided"
    """Staff said yes or no to somebody's wish to publish."""
    POST_MODERATED = "post_moderated"
    """Staff took a post down, or show it again."""
    ACCOUNT_MODERATED = "account_moderated"
    """Staff shut an account, or opened it again."""
    PAYOUT_PAID = "payout_paid"
    PAYOUT_FAILED = "payout_failed"
    """It was released or returned; what it was for is available again."""
    PAYOUT_ACCOUNT = "payout_account"
    """Stripe asks a creator for something, or pays nothing out to them any more."""
    REFUND = "refund"
    """To a fan: a payment goes back to them, or did not arrive."""
    SALE_REFUNDED = "sale_refunded"
    """To a creator, unless they did it themselves."""
    DISPUTE = "dispute"
    """To a creator: a fan disputes a payment at their bank, or that is decided."""
    SUBSCRIPTION = "subscription"
    """To a fan: what becomes of their subscription, or that they were given one."""


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
    EMAIL_CHANGED = "email_changed"
    FACTOR_ADDED = "factor_added"
    """It was begun without the second factor that its account asks for now."""
    BY_STAFF = "by_staff"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from: what its owner sees of it, and what the audit log keeps."""

    ip: str | None
    user_agent: str
    request_id: str | None


def normal_password(password: str) -> str:
    """One form for what looks the same on any keyboard: NFKC (SP 800-63B §3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def check_password_form(password: str, *, own_words: Iterable[str]) -> None:
    """Length of a password in its normal form, and that it isn't made of the account's own words.

    Whether it can be guessed otherwise is for `infra.passwords` to say, which has word lists.

    Raises:
        Invalid: `password_too_short`, `password_too_long` or `password_personal`.
    """
    length = len(password)
    if length < PASSWORD_CHARACTERS_MIN:
        raise Invalid(
            f"A password has at least {PASSWORD_CHARACTERS_MIN} characters.",
            code="password_too_short",
            characters_min=PASSWORD_CHARACTERS_MIN,
        )
    if length > PASSWORD_CHARACTERS_MAX:
        raise Invalid(
            f"A password has at most {PASSWORD_CHARACTERS_MAX} characters.",
            code="password_too_long",
            characters_max=PASSWORD_CHARACTERS_MAX,
        )
    rest, found = password.casefold(), False
    for word in sorted((normal_password(word).casefold() for word in own_words), key=len)[::-1]:
        if len(word) >= _OWN_WORD_MIN and word in rest:
            rest, found = rest.replace(word, ""), True
    if found and len(rest) < _UNRELATED_MIN:
        raise Invalid(
            "This password is made of your own name or address.", code="password_personal"
        )


def own_words(*, handle: str, email: str | None, display_name: str) -> tuple[str, ...]:
    """What anybody who knows of an account would try first, whole and in pieces."""
    whole = [handle, display_name, email or "", *(email or "").split("@")]
    pieces = [piece for each in whole for piece in re.split(r"[\s@._-]+", each)]
    return tuple(dict.fromkeys(word for word in (*whole, *pieces) if word))
