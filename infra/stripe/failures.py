"""What an error of Stripe's means for whoever asked.

    asked to read                          asked to do
    Unavailable     no answer, 5xx, 429    OutcomeUnknown  sent, and no answer, 5xx, in progress
    NotFound        no such object         Unavailable     429, or never connected: nothing was
                                                           done, the same key may be sent again
    StepBlocked     payment_request_refused      the request is not valid, or not possible now;
                                                 `reason` is Stripe's code
                    stripe_credentials_refused   the key is wrong, or may not do this
                    stripe_key_reused            Stripe has another request under this key

A refusal by a bank is no error: `calls.py` hands on the object that comes with it.
"""

from __future__ import annotations

import socket

import stripe

from domain.errors import Fact, FansworldError, NotFound, OutcomeUnknown, StepBlocked, Unavailable


def reading_failure(error: stripe.StripeError, *, path: str) -> FansworldError:
    if isinstance(error, stripe.InvalidRequestError) and _is_missing(error):
        return NotFound("Stripe has no such object.", code="stripe_object_missing", path=path)
    failure = ordering_failure(error, path=path)
    if isinstance(failure, OutcomeUnknown):
        return Unavailable(
            "Stripe did not answer.", code="stripe_unavailable", **facts_of(error, path=path)
        )
    return failure


def ordering_failure(error: stripe.StripeError, *, path: str) -> FansworldError:
    facts = facts_of(error, path=path)
    match error:
        case stripe.RateLimitError():
            return Unavailable(
                "Stripe takes no more requests at the moment.", code="stripe_unavailable", **facts
            )
        case stripe.AuthenticationError() | stripe.PermissionError():
            return StepBlocked(
                "Stripe refuses the key, or what is asked with it.",
                code="stripe_credentials_refused",
                **facts,
            )
        case stripe.IdempotencyError():
            return StepBlocked(
                "Stripe has another request under this key.", code="stripe_key_reused", **facts
            )
        case stripe.InvalidRequestError() | stripe.CardError():
            return StepBlocked(
                "Stripe refuses this request.", code="payment_request_refused", **facts
            )
        case stripe.APIConnectionError() if never_connected(error):
            return Unavailable("Stripe can't be reached.", code="stripe_unavailable", **facts)
        case _:
            return OutcomeUnknown(
                "Stripe did not say what became of this request.",
                code="stripe_outcome_unknown",
                **facts,
            )


def facts_of(error: stripe.StripeError, *, path: str) -> dict[str, Fact]:
    """Codes only: Stripe's sentences may quote what was sent."""
    return {
        "path": path,
        "reason": reason_of(error),
        "param": getattr(error, "param", None),
        "http_status": error.http_status,
        "request_id": error.request_id,
    }


def reason_of(error: stripe.StripeError) -> str:
    """Stripe's code; where there is none, the kind of its error."""
    return error.code or (error.error.code if error.error else None) or type(error).__name__


def was_replayed(error: stripe.StripeError) -> bool:
    """It is the kept answer to an earlier try with the same key: another one brings no more."""
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return str(headers.get("idempotent-replayed", "")).lower() == "true"


def never_connected(error: BaseException) -> bool:
    """The connection was refused, or the name not found: nothing can have been sent."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError | socket.gaierror):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _is_missing(error: stripe.InvalidRequestError) -> bool:
    return error.http_status == 404 or error.code == "resource_missing"
