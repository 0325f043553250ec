"""Which payouts a person looks at before any money leaves."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.payouts.amounts import minimum_minor


class ReviewReason(StrEnum):
    FIRST = "first_payout"
    """None of this creator's has reached a bank yet."""
    ACCOUNT_CHANGED = "account_changed"
    """It goes to another account than the last one, as it does when somebody has taken over."""
    LARGE = "large_amount"


@dataclass(frozen=True, slots=True)
class ReviewPolicy:
    """What waits for staff. `large_minimums`: so many times the least payout of a currency are
    a large one; thus the rule means much the same in each."""

    first: bool = True
    large_minimums: int = 50

    def reasons(
        self,
        *,
        amount_minor: int,
        currency: str,
        account_id: str,
        last_account_id: str | None,
    ) -> tuple[ReviewReason, ...]:
        """Why staff look at this payout first; none where it goes on by itself.

        Args:
            last_account_id: of this creator's latest payout that has reached a bank.
        """
        found: list[ReviewReason] = []
        if last_account_id is None:
            if self.first:
                found.append(ReviewReason.FIRST)
        elif last_account_id != account_id:
            found.append(ReviewReason.ACCOUNT_CHANGED)
        if amount_minor >= self.large_minimums * minimum_minor(currency):
            found.append(ReviewReason.LARGE)
        return tuple(found)
