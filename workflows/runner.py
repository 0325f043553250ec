"""Every workflow there is, and the sandbox they run in. For workers and for replay."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from temporalio.common import VersioningBehavior
from temporalio.worker import (
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from workflows.accounts.sweep import SweepAccounts
from workflows.charges.sweep import SweepCharges
from workflows.disputes.dispute import Dispute
from workflows.gifts.give import GiveGift
from workflows.mail.send import SendMail
from workflows.media.delete import DeleteMedia
from workflows.media.ingest import IngestMedia
from workflows.media.sweep import SweepMedia
from workflows.payment_methods.removal import RemoveCard
from workflows.payment_methods.setup import SetUpCard
from workflows.payouts.batch import PayoutBatch
from workflows.payouts.connect import Onboard
from workflows.payouts.payout import Payout
from workflows.payouts.sweep import SweepPayouts
from workflows.posts.publish import PublishPost
from workflows.posts.sweep import SweepPosts
from workflows.reconcile.reconcile import Reconcile
from workflows.refunds.refund import Refund
from workflows.refunds.sweep import SweepRefunds
from workflows.stripe_events.sweep import SweepStripeEvents
from workflows.subscriptions.subscription import KeepSubscription
from workflows.subscriptions.sweep import SweepSubscriptions
from workflows.tips.send import SendTip
from workflows.unlocks.unlock import UnlockContent

WORKFLOWS = (
    *(IngestMedia, DeleteMedia, SweepMedia),
    *(SendMail, SweepAccounts),
    *(PublishPost, SweepPosts),
    *(UnlockContent, SendTip, SetUpCard, RemoveCard, SweepCharges),
    *(Payout, PayoutBatch, Onboard, SweepPayouts),
    SweepStripeEvents,
    *(KeepSubscription, SweepSubscriptions, GiveGift),
    *(Refund, SweepRefunds, Dispute, Reconcile),
)
"""One line a slice."""


@dataclass(frozen=True)
class Sweep:
    """A workflow that runs on a schedule; `kind` names it in its id."""

    kind: str
    workflow: str
    note: str
    every: timedelta | None = None
    """None: as often as `sweep_interval_seconds` says."""


SWEEPS = (
    Sweep("accounts", "SweepAccounts", "Start unsent mails, remove what has expired"),
    Sweep("charges", "SweepCharges", "See to payments without a run, and to late fees"),
    Sweep("media", "SweepMedia", "Expire abandoned uploads, start what a crash left unstarted"),
    Sweep("payouts", "SweepPayouts", "Release earnings that are due, start unstarted payouts"),
    Sweep("posts", "SweepPosts", "Publish what is overdue, tend what is due soon"),
    Sweep("stripe_events", "SweepStripeEvents", "Fetch events that did not come, tell of them"),
    Sweep("refunds", "SweepRefunds", "Start refunds that have no run, forget old accesses"),
    Sweep("subscriptions", "SweepSubscriptions", "Tend late subscriptions, tell of new prices"),
    Sweep(
        "reconcile",
        "Reconcile",
        "Hold the ledger against Stripe's books",
        every=timedelta(hours=6),
    ),
)

_PASSED_THROUGH = ("domain", "workflows", "pydantic", "pydantic_core", "annotated_types")
"""Modules that workflows share with the process: pure, so the sandbox need not load them
again for each run (measured: 0.5–1 s a run without)."""


class Unversioned(UnsandboxedWorkflowRunner):
    """What the sandbox runs where a worker has no build: the server refuses what a workflow says
    of versions (`workflows/versions.py`) from such a worker."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        defn = replace(det.defn, versioning_behavior=VersioningBehavior.UNSPECIFIED)
        return super().create_instance(replace(det, defn=defn))


def workflow_runner(*, is_versioned: bool = False) -> SandboxedWorkflowRunner:
    """The sandbox, with pure modules passed through.

    Args:
        is_versioned: the worker has a build id.
    """
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(*_PASSED_THROUGH),
        runner_class=UnsandboxedWorkflowRunner if is_versioned else Unversioned,
    )
