"""What reconciling passes between workflow and activities.

Every field added later needs a default, so that old histories still replay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ReconcileStep:
    at: datetime


@dataclass(frozen=True)
class ReconcileReport:
    reconciliation_id: str
    sources_checked: int
    breaks: int
    table: str = ""
    """The breaks, for an operator, in Markdown; ids and amounts, no people."""
    fees_recorded: int = 0
    refunds_adopted: int = 0
    disputes_followed: int = 0
    may_be_late: bool = False
    """Whether all that differs may be right once runs and sweeps have caught up."""
