"""Tokens in mails: proof that somebody reads what is sent to an address.

A token is the mail's id and a signature of it. So nothing secret is stored with a mail, and
whoever sends it needs no more than its id; the row says whom the token is for, until when it
counts, and whether it was used.
"""

from __future__ import annotations

import base64
import hmac
from enum import StrEnum

from domain.auth import MailKind
from domain.errors import Invalid
from domain.signing import derived_key


class SecurityEvent(StrEnum):
    """What a security notice tells of; the fact `event` of such a mail."""

    PASSWORD_CHANGED = "password_changed"
    PASSWORD_RESET = "password_reset"
    EMAIL_CHANGE_ASKED = "email_change_asked"
    EMAIL_CHANGED = "email_changed"
    """Told to the old address."""
    TOTP_ADDED = "totp_added"
    TOTP_REMOVED = "totp_removed"
    RECOVERY_CODES_RENEWED = "recovery_codes_renewed"
    RECOVERY_CODE_USED = "recovery_code_used"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    PASSKEY_COPIED = "passkey_copied"
    """Its counter went back, so another device has used it meanwhile."""
    FACTORS_RESET = "factors_reset"
    """By staff, for somebody who had lost them."""
    SESSION_STOLEN = "session_stolen"
    """A refresh token came a second time: its session was ended."""


def mail_token(mail_id: str, *, kind: MailKind, key: bytes) -> str:
    """The token that the mail with this id carries: URL-safe, 80 characters."""
    return f"{mail_id}.{_signature(mail_id, kind, key)}"


def read_mail_token(token: str, *, kind: MailKind, key: bytes) -> str:
    """The id of the mail that carries this token.

    Raises:
        Invalid: `link_invalid`; it is none of ours, or of a mail of another kind.
    """
    mail_id, _, signature = token.partition(".")
    if not token.isascii() or not hmac.compare_digest(signature, _signature(mail_id, kind, key)):
        raise link_invalid()
    return mail_id


def link_invalid() -> Invalid:
    return Invalid(
        "This link was changed or is not from us. Ask for a new one.", code="link_invalid"
    )


def _signature(mail_id: str, kind: MailKind, key: bytes) -> str:
    signed = hmac.digest(derived_key(key, use="mail"), f"{kind}|{mail_id}".encode(), "sha256")
    return base64.urlsafe_b64encode(signed).decode().rstrip("=")
