"""The tree of errors that carry their facts.

    FansworldError
    ├── NotFound                 what the viewer may not know of, or what is not there
    ├── Conflict                 the resource is in another state than the call needs
    ├── Gone                     it was there and has expired
    ├── Invalid                  a value breaks a rule; says which and by how much
    │   ├── UnsupportedType
    │   ├── TooLarge
    │   └── QuotaExceeded
    ├── PreconditionFailed       an ETag did not match
    ├── Unauthenticated          who asks is not known
    ├── AccessDenied             known to the viewer, not open to them
    │   └── PaymentRequired      offers say what would open it
    ├── RateLimited              too often; says when again
    ├── MediaRejected            permanent: the file itself is the cause
    ├── StepBlocked              permanent for retries: an operator has to decide
    └── Unavailable              an outside part did not answer; trying again may help
        └── OutcomeUnknown       it was asked to do something, and may have done it

The API maps this tree to problem details once (`api/problems.py`); activities map it to
typed application errors once (`activities/errors.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain.access import Offer
    from domain.media.rejections import RejectionCode

Fact = str | int | float | bool | None


class FansworldError(Exception):
    """Base of every error that the platform raises on purpose.

    `code` is stable and machine-readable; `facts` are the numbers and names behind it.
    """

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, **facts: Fact) -> None:
        super().__init__(message)
        self.message = message
        self.facts: Mapping[str, Fact] = facts
        if code is not None:
            self.code = code


class NotFound(FansworldError):
    code = "not_found"


class Conflict(FansworldError):
    code = "conflict"


class Gone(FansworldError):
    code = "gone"


class Invalid(FansworldError):
    code = "invalid"


class UnsupportedType(Invalid):
    code = "unsupported_type"


class TooLarge(Invalid):
    code = "too_large"


class QuotaExceeded(Invalid):
    code = "quota_exceeded"


class PreconditionFailed(FansworldError):
    code = "precondition_failed"


class Unauthenticated(FansworldError):
    code = "unauthenticated"


class AccessDenied(FansworldError):
    code = "forbidden"


class PaymentRequired(AccessDenied):
    code = "payment_required"

    def __init__(self, message: str, *, offers: tuple[Offer, ...]) -> None:
        super().__init__(message)
        self.offers = offers


class RateLimited(FansworldError):
    code = "rate_limited"

    def __init__(self, message: str, *, limit: str, retry_after_seconds: int) -> None:
        super().__init__(message, limit=limit, retry_after_seconds=retry_after_seconds)
        self.retry_after_seconds = retry_after_seconds


class MediaRejected(FansworldError):
    """The file is the cause; trying again can't help. Ends ingest in state `rejected`."""

    def __init__(self, reason: RejectionCode, detail: str = "", **facts: Fact) -> None:
        super().__init__(detail or reason.sentence, code=reason.value, **facts)
        self.reason = reason


class StepBlocked(FansworldError):
    """Retrying by machine can't help; an operator has to decide (`NeedsAttention`)."""

    code = "step_blocked"


class Unavailable(FansworldError):
    code = "unavailable"


class OutcomeUnknown(Unavailable):
    """The request was sent and no answer came that says what became of it. Whoever tries again
    has to send the same one, under the same key."""

    code = "outcome_unknown"
