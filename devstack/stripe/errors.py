"""Stripe's refusals: `{"error": {"type", "code", "message", "param", ...}}` with their status.

See "Errors" and "Error codes" in Stripe's API reference.
"""

from __future__ import annotations

from typing import Any, NoReturn

Obj = dict[str, Any]
"""A resource as its JSON. Keys that begin with `_` are ours and never answered."""

DOCS = "https://stripe.com/docs/error-codes"


class Refused(Exception):
    """A request that Stripe would refuse."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        remembered: bool = True,
        **more: Any,
    ) -> None:
        """`remembered`: whether an idempotency key keeps it, since execution had begun."""
        super().__init__(message)
        self.status = status
        self.remembered = remembered
        error: Obj = {"message": message, "type": kind}
        if code is not None:
            error |= {"code": code, "doc_url": f"{DOCS}/{code.replace('_', '-')}"}
        if param is not None:
            error["param"] = param
        self.error = error | {name: value for name, value in more.items() if value is not None}


def refuse(
    message: str, *, code: str | None = None, param: str | None = None, **more: Any
) -> NoReturn:
    """400: the request can't be carried out as things are."""
    raise Refused(400, message, code=code, param=param, **more)


def malformed(message: str, *, code: str | None = None, param: str | None = None) -> Refused:
    """400 of a request whose execution never began, so that its key is not used up."""
    return Refused(400, message, code=code, param=param, remembered=False)


def missing(kind: str, object_id: str, *, param: str = "id", status: int = 404) -> Refused:
    """Nothing has this id in the account that was asked."""
    noun = kind.replace("_", " ") if kind in {"payment_method"} else kind
    named = {"payment_method": "PaymentMethod", "setup_intent": "setupintent"}.get(kind, noun)
    return Refused(status, f"No such {named}: '{object_id}'", code="resource_missing", param=param)
