"""Side effects that post workflows ask for. Implementations: `activities/posts/`."""

from __future__ import annotations

from workflows.declarations import declare
from workflows.posts.messages import PostLook, PostSweepReport, PublishPostOrder


@declare
def publish_if_due(order: PublishPostOrder) -> PostLook:
    """Look at the row under its lock; publish the post if its time has come."""
    raise NotImplementedError


@declare
def sweep_posts() -> PostSweepReport:
    """Publish what is overdue, and see to it that what is due soon has a run that knows when."""
    raise NotImplementedError
