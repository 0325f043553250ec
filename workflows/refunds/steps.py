"""Side effects that runs of refunds ask for. Implementations: `activities/refunds/`."""

from __future__ import annotations

from workflows.declarations import declare
from workflows.refunds.messages import RefundLook, RefundStep, RefundSweep, RefundSweepReport


@declare
def send_refund(step: RefundStep) -> RefundLook:
    """Have Stripe make the refund, and post it. Afterwards it is pending, succeeded, failed, or
    refused where Stripe did not begin it. Goes on from wherever a repeat finds it."""
    raise NotImplementedError


@declare
def look_at_refund(step: RefundStep) -> RefundLook:
    """Ask Stripe how a refund stands, and write it down; one that failed is taken back in the
    ledger."""
    raise NotImplementedError


@declare
def check_failed_refund(step: RefundStep) -> RefundLook:
    """Pass where the charge of a failed refund was refunded by another one meanwhile; else the
    step is blocked, so that staff see to it that the fan gets their money."""
    raise NotImplementedError


@declare
def sweep_refunds(sweep: RefundSweep) -> RefundSweepReport:
    """Start what a crash left unstarted, refund what was paid for and could not be given, and
    delete accesses that no dispute asks for any more."""
    raise NotImplementedError
