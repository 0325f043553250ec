"""Publishing posts that are due, whoever asks: a post's own run, or the sweep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from temporalio.client import Client

from activities.errors import typed_failures
from domain.errors import Conflict
from domain.posts import PostState
from infra.db import transaction
from infra.models import Post, User
from infra.queries.posts import writing
from infra.settings import Settings
from workflows.declarations import implements
from workflows.posts import steps
from workflows.posts.messages import PostLook, PostSweepReport, PublishPostOrder
from workflows.posts.start import tend_publishing
from workflows.queues import Queue

log = structlog.get_logger(__name__)

BATCH = 200
OVERDUE_AFTER = timedelta(minutes=1)
"""A run that lives has published by then."""

_OVER = {
    PostState.PUBLISHED: "published",
    PostState.DRAFT: "unscheduled",
    PostState.DELETED: "deleted",
    PostState.TAKEN_DOWN: "taken_down",
}


class PostActivities:
    """What runs of posts and the schedule ask for."""

    def __init__(
        self, settings: Settings, engine: Engine, temporal: Client, *, batch: int = BATCH
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._temporal = temporal
        self._batch = batch

    def on_queues(self) -> dict[Queue, list[Callable[..., Any]]]:
        return {Queue.IO: [self.publish_if_due, self.sweep_posts]}

    @implements(steps.publish_if_due)
    def publish_if_due(self, order: PublishPostOrder) -> PostLook:
        with typed_failures(), transaction(self._engine) as session:
            post = session.get(Post, order.post_id, with_for_update=True)
            if post is None:
                return PostLook("deleted")
            if post.state != PostState.SCHEDULED:
                return PostLook(_OVER[PostState(post.state)])
            now = datetime.now(UTC)
            assert post.publish_at is not None, "a scheduled post has its time"
            if post.publish_at > now:
                return PostLook("waiting", (post.publish_at - now).total_seconds())
            return PostLook(_publish(session, post, now))

    @implements(steps.sweep_posts)
    async def sweep_posts(self) -> PostSweepReport:
        with typed_failures():
            now = datetime.now(UTC)
            published = await asyncio.to_thread(self._publish_overdue, now)
            tended = 0
            for post_id, creator_id in await asyncio.to_thread(self._due_soon, now):
                await tend_publishing(
                    self._temporal,
                    PublishPostOrder(post_id, creator_id),
                    queue_prefix=self._settings.task_queue_prefix,
                )
                tended += 1
            report = PostSweepReport(published=published, tended_runs=tended)
        log.info("posts_swept", **vars(report))
        return report

    def _publish_overdue(self, now: datetime) -> int:
        """One transaction a post: none waits for another's lock, and one that fails leaves the
        rest to the next tick."""
        published = 0
        while published < self._batch and self._publish_one(now):
            published += 1
        return published

    def _publish_one(self, now: datetime) -> bool:
        with transaction(self._engine) as session:
            post = session.scalar(
                select(Post)
                .where(Post.state == PostState.SCHEDULED, Post.publish_at < now - OVERDUE_AFTER)
                .order_by(Post.publish_at)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            if post is None:
                return False
            outcome = _publish(session, post, now)
            log.info("overdue_post", post_id=post.id, outcome=outcome)
            return True

    def _due_soon(self, now: datetime) -> list[tuple[str, str]]:
        """Posts due before the sweep has come twice more. Their runs are started, or told to
        look again: one may have slept through a change that it was never told of."""
        horizon = now + timedelta(seconds=2 * self._settings.sweep_interval_seconds)
        with transaction(self._engine) as session:
            found = session.execute(
                select(Post.id, Post.creator_id)
                .where(Post.state == PostState.SCHEDULED, Post.publish_at <= horizon)
                .order_by(Post.publish_at)
                .limit(self._batch)
            )
            return [(post_id, creator_id) for post_id, creator_id in found]


def _publish(session: Session, post: Post, now: datetime) -> str:
    """Publish a locked post that is due. One with nothing left to show is a draft again, and so
    is one whose author may not publish any more."""
    if not writing.may_publish(session.get_one(User, post.creator_id)):
        return _unpublished(post, now, "barred", why="author_may_not_publish")
    try:
        writing.publish(session, post, now=now)
    except Conflict as error:
        return _unpublished(post, now, "emptied", why=error.code)
    return "published"


def _unpublished(post: Post, now: datetime, outcome: str, *, why: str) -> str:
    log.info("post_not_published", post_id=post.id, why=why)
    writing.unschedule(post, now=now)
    return outcome
