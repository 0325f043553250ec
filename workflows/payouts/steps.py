"""Side effects that runs of payouts ask for. Implementations: `activities/payouts/`."""

from __future__ import annotations

from workflows.declarations import declare
from workflows.payouts.messages import (
    AccountLook,
    BatchEnd,
    BatchPage,
    BatchPlan,
    ConnectStep,
    PayoutAttention,
    PayoutDecision,
    PayoutLook,
    PayoutStep,
    PayoutSweep,
    PayoutSweepReport,
)


@declare
def open_payout(step: PayoutStep) -> PayoutLook:
    """Set earnings aside for a payout that was asked for, or release it and say why not.

    Afterwards it is `reserved`, in `review` or `released`; one that is further on stays.
    """
    raise NotImplementedError


@declare
def send_payout(step: PayoutStep) -> PayoutLook:
    """Transfer to the creator's account at Stripe, and pay out from there to their bank.

    Goes on from wherever a repeat finds it. Afterwards it is `in_transit` or `paid`; `released`
    where Stripe refused the transfer for certain; `returning` where it refused the payout.
    """
    raise NotImplementedError


@declare
def look_at_payout(step: PayoutStep) -> PayoutLook:
    """Ask Stripe how the payout stands, where it is there already, and write it down.

    One that has been paid for as long as that is provisional is settled.
    """
    raise NotImplementedError


@declare
def return_payout(step: PayoutStep) -> PayoutLook:
    """Reverse the transfer of a payout that failed, and make its earnings available again.

    Where Stripe refuses the reversal the row is `needs_ops` and the step is blocked: nobody is
    credited with money that did not come back.
    """
    raise NotImplementedError


@declare
def decide_payout(decision: PayoutDecision) -> PayoutLook:
    """Write down what an operator decided of a payout in review, with an audit entry."""
    raise NotImplementedError


@declare
def note_payout_attention(attention: PayoutAttention) -> None:
    """Show in the row which step waits for an operator and why, or that none does."""
    raise NotImplementedError


@declare
def plan_payouts(page: BatchPage) -> BatchPlan:
    """Write a payout for each creator of this page who may have one, and why the others not."""
    raise NotImplementedError


@declare
def finish_batch(end: BatchEnd) -> None:
    """Write down that all payouts of a batch were started."""
    raise NotImplementedError


@declare
def refresh_account(step: ConnectStep) -> AccountLook:
    """Read a creator's account from Stripe, and write down how it stands."""
    raise NotImplementedError


@declare
def sweep_payouts(sweep: PayoutSweep) -> PayoutSweepReport:
    """Make earnings available whose time has come, and start what a crash left unstarted."""
    raise NotImplementedError
