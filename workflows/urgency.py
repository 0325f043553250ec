"""Whose turn it is where work waits: how urgent a run is, and in whose name it was asked for.

Both are given when a run is started; its steps inherit them. Of what waits on a queue, the more
urgent goes first, and within one level owners take turns, so that nobody waits behind all that
somebody else has asked for. Owners are ids: Temporal keeps these keys as they are, unencrypted.
"""

from __future__ import annotations

from enum import IntEnum

from temporalio.common import Priority


class Urgency(IntEnum):
    """Lower goes first. The server knows 1 to 5."""

    AWAITED = 1
    """Somebody sits before a screen until it is done."""
    SOON = 2
    """Somebody will look for it: an upload, a mail, a post that is due."""
    PATIENT = 3
    """Takes its time anyway: the first pass over a long video, a dispute."""
    LATER = 4
    """Nobody waits: later passes over a long video, renewals, payouts, deletions."""
    SWEEP = 5
    """What comes again with the next tick."""


def asked_by(owner_id: str, urgency: Urgency) -> Priority:
    """The priority of a run that is started for an owner: a creator, a fan or an account."""
    return Priority(priority_key=urgency, fairness_key=owner_id)


def at(urgency: Urgency) -> Priority:
    """The priority of a step that is more or less urgent than its run, or of a run of nobody's;
    its owner stays the run's."""
    return Priority(priority_key=urgency)
