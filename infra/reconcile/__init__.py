"""Comparing the ledger with Stripe's books. By hand: `python -m infra.reconcile`."""

from infra.reconcile.comparing import Comparison, compare_books, compare_rules, next_window
from infra.reconcile.keeping import keep_reconciliation

__all__ = ["Comparison", "compare_books", "compare_rules", "keep_reconciliation", "next_window"]
