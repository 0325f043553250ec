"""One-time codes from a shared secret and the time (RFC 6238), as authenticator apps make them.

SHA-1, six digits and 30 seconds: what every app can do. SHA-1 is sound inside HMAC.
"""

from __future__ import annotations

import base64
import hmac
import os
from datetime import datetime

import pyotp

ISSUER = "fansworld"
SECRET_BYTES = 20
"""160 bits, as RFC 4226 §4 (R6) recommends."""
STEP_SECONDS = 30
WINDOW = (-1, 0, 1)
"""Steps around now whose codes count: clocks differ, and typing takes time (RFC 6238 §5.2)."""


def new_secret() -> bytes:
    return os.urandom(SECRET_BYTES)


def secret_text(secret: bytes) -> str:
    """As people type it where they can't scan: base32."""
    return base64.b32encode(secret).decode()


def otpauth_uri(secret: bytes, *, account: str) -> str:
    """For the QR code that an authenticator app scans."""
    return _totp(secret).provisioning_uri(name=account, issuer_name=ISSUER)


def code_at(secret: bytes, now: datetime) -> str:
    return _totp(secret).at(now)


def step_of(secret: bytes, code: str, *, now: datetime, after: int | None) -> int | None:
    """The time step whose code this is, or none.

    Every step of the window is compared, each in constant time, whichever it is.

    Args:
        after: the step of the last code that was taken. Neither it nor an earlier one counts.
    """
    totp = _totp(secret)
    current = totp.timecode(now)
    found: int | None = None
    for step in (current + offset for offset in WINDOW if current + offset >= 0):
        is_same = hmac.compare_digest(totp.generate_otp(step).encode(), code.encode())
        if is_same and (after is None or step > after):
            found = step
    return found


def _totp(secret: bytes) -> pyotp.TOTP:
    return pyotp.TOTP(secret_text(secret), interval=STEP_SECONDS)
