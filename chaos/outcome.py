"""What came of one fault."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Outcome:
    fault: str
    work: list[str]
    """Families of which something was acknowledged."""
    acknowledged: int
    """Requests that were answered with 2xx and began work."""
    lost: int
    """Of these, how many are not in their right end in time, or had to be tried again by an
    operator where the fault is none for that."""
    doubled: int
    """Effects that show twice, rows that break a rule, and differences from Stripe's books."""
    recovery_seconds: float
    """From when it is healed, by starting what was killed, until the last work was in its end."""
    api_seconds: float = 0.0
    """From healing until `/readyz` says that all is there."""
    prepared_seconds: float = 0.0
    """For what had to be there before the work of the round could begin."""
    seconds: float = 0.0
    """The whole round."""
    operator: int = 0
    """Steps that an operator had to have tried again."""
    unanswered: list[str] = field(default_factory=list)
    """Requests that nobody has answered, so nothing of them can be lost."""
    lost_work: list[str] = field(default_factory=list)
    doubled_work: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        return (
            self.lost == 0 and self.doubled == 0 and not self.unanswered and self.acknowledged > 0
        )
