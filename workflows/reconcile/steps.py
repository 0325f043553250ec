"""Side effects of reconciling. Implementations: `activities/reconcile/`."""

from __future__ import annotations

from workflows.declarations import declare
from workflows.reconcile.messages import ReconcileReport, ReconcileStep


@declare
def compare_books(step: ReconcileStep) -> ReconcileReport:
    """Compare the ledger with Stripe's books, and write the result down.

    What is only missing is made up for: fees that came late, refunds made in Stripe's
    dashboard, disputes that no event told of. The next comparison finds those right.
    """
    raise NotImplementedError


@declare
def stop_for_breaks(report: ReconcileReport) -> None:
    """Block, where the books differ: a person has to look."""
    raise NotImplementedError
