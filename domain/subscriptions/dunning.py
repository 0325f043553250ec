"""What follows when a renewal is declined.

A soft decline (no money on the card today) is tried again 2 days later, then 5, 7 and 7 days
after that. A hard one (the card was stolen) is not: only another card helps. A bank that wants
its holder to confirm is not asked again either: the fan has to be there. All wait for as long as
the retries would have taken, and a new card is tried at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.charges.states import DeclineKind

RETRY_AFTER = (timedelta(days=2), timedelta(days=5), timedelta(days=7), timedelta(days=7))
"""Each counted from the decline before it."""
WINDOW = sum(RETRY_AFTER, timedelta())
"""From the first decline until it is given up."""


@dataclass(frozen=True, slots=True)
class Dunning:
    """What is to come after a decline."""

    retry_at: datetime | None
    """None: only a new card, or the fan's own try."""
    give_up_at: datetime | None
    """When the subscription expires; None: at once."""


def after_decline(
    kind: DeclineKind, *, retries_done: int, first_declined_at: datetime, at: datetime
) -> Dunning:
    """What follows a decline at `at`.

    Args:
        retries_done: planned retries of this period that were declined, this one among them;
            0 for the first decline of a period.
        first_declined_at: of this period.
    """
    give_up_at = first_declined_at + WINDOW
    if kind is not DeclineKind.SOFT:
        return Dunning(None, give_up_at) if give_up_at > at else Dunning(None, None)
    if retries_done >= len(RETRY_AFTER):
        return Dunning(None, None)
    retry_at = at + RETRY_AFTER[retries_done]
    # Retries that came late, after an outage, are all still made.
    return Dunning(retry_at, max(give_up_at, retry_at))
