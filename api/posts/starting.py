"""Telling a post's run that its row has changed. The row is committed first."""

from __future__ import annotations

from api.parts import Parts
from infra.models import Post
from workflows.posts.messages import PublishPostOrder
from workflows.posts.start import tell_of_change, tend_publishing


async def begin_publishing(parts: Parts, post: Post) -> bool:
    """Have a scheduled post published in time; False where the sweep will have to."""
    tending = tend_publishing(
        parts.temporal,
        PublishPostOrder(post.id, post.creator_id),
        queue_prefix=parts.settings.task_queue_prefix,
    )
    return await parts.starter.begin(tending, what="publishing", post_id=post.id)


async def end_publishing(parts: Parts, post: Post) -> bool:
    """Let the run of a post that is not scheduled any more look, and end. One that does not
    hear of it finds out when it wakes."""
    return await parts.starter.begin(
        tell_of_change(parts.temporal, post.id), what="end_of_run", post_id=post.id
    )
