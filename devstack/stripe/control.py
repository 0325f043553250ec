"""What a test or an operator makes happen at the local Stripe: by name, with JSON for arguments.

`POST /_control/{name}` of the server and `LocalStripe.control(name, …)` are the same. None of this
is of Stripe's; it stands for what buyers, banks, creators and Stripe itself do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from devstack.stripe import accounts, disputes, payouts, refunds, webhooks
from devstack.stripe.errors import Obj, refuse
from devstack.stripe.faults import Fault
from devstack.stripe.setup_intents import setup_authenticated
from devstack.stripe.taking import authenticated
from devstack.stripe.world import Endpoint

if TYPE_CHECKING:
    from devstack.stripe.core import LocalStripe

Command = Callable[..., Obj]


def _clock(local: LocalStripe, *, seconds: int = 0) -> Obj:
    """Move the clock on, and tell it."""
    local.advance(seconds)
    return {"now": local.now}


def _fault(local: LocalStripe, **fault: Any) -> Obj:
    local.faults.add(Fault(**fault))
    return {}


def _clear_faults(local: LocalStripe) -> Obj:
    return {"met": local.faults.clear()}


def _authenticate(local: LocalStripe, *, id: str, passed: bool = True) -> Obj:  # The API's name.
    """The buyer answers the 3-D Secure challenge of a PaymentIntent or a SetupIntent."""
    answer = setup_authenticated if id.startswith("seti_") else authenticated
    return answer(local.scope(), id, passed=passed)


def _onboard(
    local: LocalStripe, *, account: str, bank: str = "000123456789", verifying: bool = False
) -> Obj:
    return accounts.onboard(local.scope(), account, bank=bank, verifying=verifying)


def _verify(local: LocalStripe, *, account: str) -> Obj:
    return accounts.verified(local.scope(), account)


def _ask(
    local: LocalStripe, *, account: str, fields: Sequence[str], within_seconds: int = 0
) -> Obj:
    return accounts.ask(local.scope(), account, fields, within_seconds=within_seconds)


def _disable(local: LocalStripe, *, account: str, reason: str | None = "under_review") -> Obj:
    """Stop an account; without a reason, let it go on."""
    return accounts.disable(local.scope(), account, reason)


def _fail_payout(
    local: LocalStripe, *, payout: str, account: str = "", code: str = "account_closed"
) -> Obj:
    return payouts.fail_payout(local.scope(account), payout, code=code)


def _succeed_refund(local: LocalStripe, *, refund: str) -> Obj:
    return refunds.succeed_refund(local.scope(), refund)


def _fail_refund(
    local: LocalStripe, *, refund: str, reason: str = "expired_or_canceled_card"
) -> Obj:
    return refunds.fail_refund(local.scope(), refund, reason=reason)


def _dispute(
    local: LocalStripe,
    *,
    charge: str,
    reason: str = "fraudulent",
    inquiry: bool = False,
    amount: int | None = None,
) -> Obj:
    scope = local.scope()
    found = scope.get("charge", charge)
    return disputes.open_dispute(scope, found, reason=reason, inquiry=inquiry, amount=amount)


def _escalate(local: LocalStripe, *, dispute: str) -> Obj:
    return disputes.escalate(local.scope(), dispute)


def _finish_dispute(local: LocalStripe, *, dispute: str, status: str) -> Obj:
    return disputes.finish(local.scope(), dispute, status)


def _endpoints(local: LocalStripe, *, endpoints: Sequence[Mapping[str, Any]]) -> Obj:
    """Have the webhooks of the configuration go to these endpoints from now on."""
    made = [
        Endpoint(**{**given, "events": tuple(given.get("events", ("*",)))}) for given in endpoints
    ]
    webhooks.configure(local.scope().world, made)
    return {"endpoints": len(made)}


COMMANDS: dict[str, Command] = {
    "clock": _clock,
    "fault": _fault,
    "clear_faults": _clear_faults,
    "authenticate": _authenticate,
    "onboard": _onboard,
    "verify": _verify,
    "ask": _ask,
    "disable": _disable,
    "fail_payout": _fail_payout,
    "succeed_refund": _succeed_refund,
    "fail_refund": _fail_refund,
    "dispute": _dispute,
    "escalate": _escalate,
    "finish_dispute": _finish_dispute,
    "endpoints": _endpoints,
}


def carry_out(local: LocalStripe, name: str, arguments: Mapping[str, Any]) -> Obj:
    """Do what `name` says.

    Raises:
        Refused: for a name or arguments that are unknown, or when it can't be as things are.
    """
    command = COMMANDS.get(name)
    if command is None:
        refuse(f"No such command: {name}. There are: {', '.join(sorted(COMMANDS))}.")
    try:
        return command(local, **arguments)
    except (TypeError, ValueError) as error:
        refuse(f"{name} can't be done with {dict(arguments)}: {error}")
