"""What Stripe sends by itself: whether it is from Stripe, and what it says.

https://docs.stripe.com/webhooks#verify-manually: the header `Stripe-Signature` is
`t=SECONDS,v1=HEX[,v1=HEX…]`, each `v1` an HMAC-SHA256 of `SECONDS.BODY` by a secret of the
endpoint. Done here and not by Stripe's package because that reads a clock of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import SecretStr

from domain.errors import Invalid, StepBlocked
from infra.stripe import parsing
from infra.stripe.objects import Event

TOLERANCE = timedelta(seconds=300)
"""How old, or how far ahead, a signature may be; Stripe's own default."""
TIME_DIGITS_MAX = 12
"""Of a signature's seconds. Longer ones are near no clock, and overflow a float."""


def verified_event(
    body: bytes, signature: str | None, *, secrets: Sequence[SecretStr], at: datetime
) -> Event:
    """The event in the raw body of a request.

    Args:
        signature: the header `Stripe-Signature`.
        secrets: of this endpoint; more than one while it is being replaced.

    Raises:
        Invalid: `signature_refused`: none of the secrets has signed this body within the last
            300 s. `event_unreadable`: it is signed, and not the event that we know.
    """
    if not _is_signed(body, signature or "", secrets=secrets, at=at):
        raise Invalid("This was not signed by Stripe, or too long ago.", code="signature_refused")
    try:
        return parsing.event(json.loads(body))
    except (ValueError, StepBlocked) as error:
        raise Invalid("This is no event of Stripe's.", code="event_unreadable") from error


def _is_signed(body: bytes, signature: str, *, secrets: Sequence[SecretStr], at: datetime) -> bool:
    pairs = [part.strip().partition("=") for part in signature.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    given = [value for name, _, value in pairs if name == "v1"]
    if len(times) != 1 or not times[0].isascii() or not times[0].isdecimal():
        return False
    if len(times[0]) > TIME_DIGITS_MAX:
        return False
    if abs(at.timestamp() - int(times[0])) > TOLERANCE.total_seconds():
        return False
    signed = times[0].encode() + b"." + body
    wanted = [
        hmac.new(secret.get_secret_value().encode(), signed, hashlib.sha256).hexdigest().encode()
        for secret in secrets
    ]
    # Each is compared with each, so that the time taken tells nothing.
    matches = [hmac.compare_digest(one.encode(), other) for one in given for other in wanted]
    return any(matches)
