"""Rules of second factors: which there are, what recovery codes look like, when a passkey's
counter tells of a copy."""

from __future__ import annotations

import hashlib
from enum import StrEnum

CHALLENGE_TTL_SECONDS = 300
"""Of a step between two requests: somebody fetches a phone or a key meanwhile."""
CODE_ATTEMPTS_MAX = 5
"""Tries of a second factor after one password. Of a million codes three count at a time."""
PASSKEYS_MAX = 20
RECOVERY_CODES = 10
RECOVERY_CODE_BYTES = 15
"""120 bits. From 112 bits on a plain hash keeps them (NIST SP 800-63B §5.1.2.2): there is
nothing to be gained by guessing, so the slow hash that passwords need is not needed here."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base32: without i, l, o and u, which people take for something else."""
_MISREAD = str.maketrans({"o": "0", "i": "1", "l": "1", "-": None, " ": None})
_GROUP = 6


class Factor(StrEnum):
    """What may be asked for after a password."""

    TOTP = "totp"
    PASSKEY = "passkey"
    RECOVERY_CODE = "recovery_code"


class AuthMethod(StrEnum):
    """How a session was proved (RFC 8176 §2)."""

    PASSWORD = "pwd"
    CODE = "otp"
    KEY = "hwk"
    """By a key that its holder's device keeps."""
    MULTIPLE = "mfa"


METHOD_OF: dict[Factor, AuthMethod] = {
    Factor.TOTP: AuthMethod.CODE,
    Factor.PASSKEY: AuthMethod.KEY,
    Factor.RECOVERY_CODE: AuthMethod.CODE,
}


def recovery_code_from(entropy: bytes) -> str:
    """24 letters and digits in groups of six, from 15 random bytes."""
    assert len(entropy) == RECOVERY_CODE_BYTES
    value = int.from_bytes(entropy, "big")
    length = RECOVERY_CODE_BYTES * 8 // 5
    letters = "".join(_ALPHABET[value >> 5 * place & 31] for place in reversed(range(length)))
    return "-".join(letters[start : start + _GROUP] for start in range(0, length, _GROUP))


def recovery_code_hash(code: str) -> bytes:
    """What is stored of a code; the same however somebody wrote it down."""
    return hashlib.sha256(code.lower().translate(_MISREAD).encode()).digest()


def counter_went_back(*, stored: int, reported: int) -> bool:
    """Has the passkey been used elsewhere since? Then there is a copy of it.

    Authenticators that don't count always report 0; synchronised passkeys are such
    (WebAuthn §6.1.1, §7.2 step 22).
    """
    return (stored > 0 or reported > 0) and reported <= stored
