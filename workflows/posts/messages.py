"""What publishing passes between workflow and activities: ids and times.

Every field added later needs a default, so that old histories still replay.
"""

from __future__ import annotations

from dataclasses import dataclass

LOOKS_MAX = 500


@dataclass(frozen=True)
class PublishPostOrder:
    post_id: str
    creator_id: str
    looks_max: int = LOOKS_MAX
    """After so many looks at the row the run goes on as a new one, so that its history stays
    short however often a post is rescheduled."""


@dataclass(frozen=True)
class PostLook:
    """How the row stands, and how long there is to wait."""

    outcome: str
    """`waiting`, `published`, `unscheduled`, `deleted`, `taken_down`; or a draft again, because
    there is nothing left to show (`emptied`) or its author may not publish any more (`barred`)."""
    wait_seconds: float | None = None
    """With `waiting`. Measured by the clock of who looked, so that two clocks that differ can't
    make a run look again and again."""


@dataclass(frozen=True)
class PostSweepReport:
    published: int = 0
    tended_runs: int = 0
