"""What a run and the sweep do to the rows, and what they find already done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.testing import ActivityEnvironment

from activities.posts import PostActivities
from domain.accounts import Role
from domain.ids import publish_workflow_id
from domain.posts import PostState
from infra.db import transaction
from infra.models import Post, User
from infra.settings import Settings
from tests.harness.posts import MakePost
from tests.harness.rows import MakeMedia, MakeUser
from workflows.posts.messages import PostLook, PostSweepReport, PublishPostOrder
from workflows.posts.start import tell_of_change, tend_publishing

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
MINUTES = timedelta(minutes=5)


@pytest.fixture
def activities(settings: Settings, engine: Engine, temporal_client: Client) -> PostActivities:
    return PostActivities(settings, engine, temporal_client, batch=3)


def row(engine: Engine, post: Post) -> Post:
    with Session(engine) as session:
        return session.get_one(Post, post.id)


def order(post: Post) -> PublishPostOrder:
    return PublishPostOrder(post.id, post.creator_id)


def scheduled(make_post: MakePost, make_user: MakeUser, at: datetime, **columns: Any) -> Post:
    creator = make_user(role=Role.CREATOR)
    return make_post(creator, state=PostState.SCHEDULED, publish_at=at, **columns)


def test_what_is_due_is_published_once(
    activities: PostActivities, make_post: MakePost, make_user: MakeUser, engine: Engine
) -> None:
    post = scheduled(make_post, make_user, NOW - timedelta(seconds=1))
    looks = [activities.publish_if_due(order(post)) for _ in range(2)]
    assert looks == [PostLook("published")] * 2
    published = row(engine, post)
    assert (published.state, published.publish_at) == (PostState.PUBLISHED, None)
    assert published.published_at is not None and published.published_at > NOW - MINUTES
    assert published.version == post.version + 1


def test_what_is_not_due_waits_as_long_as_the_row_says(
    activities: PostActivities, make_post: MakePost, make_user: MakeUser, engine: Engine
) -> None:
    post = scheduled(make_post, make_user, datetime.now(UTC) + HOUR)
    look = activities.publish_if_due(order(post))
    assert look.outcome == "waiting"
    assert look.wait_seconds is not None and 3590 < look.wait_seconds <= 3600
    assert row(engine, post).state == PostState.SCHEDULED


@pytest.mark.parametrize(
    ("state", "outcome"),
    [("draft", "unscheduled"), ("published", "published"), ("taken_down", "taken_down")],
)
def test_what_is_not_scheduled_any_more_stays_as_it_is(
    activities: PostActivities,
    make_post: MakePost,
    make_user: MakeUser,
    engine: Engine,
    state: str,
    outcome: str,
) -> None:
    post = make_post(make_user(role=Role.CREATOR), state=state)
    assert activities.publish_if_due(order(post)) == PostLook(outcome)
    assert row(engine, post).version == post.version


def test_a_post_that_was_deleted_or_never_was_ends_its_run(
    activities: PostActivities, make_post: MakePost, make_user: MakeUser
) -> None:
    post = make_post(make_user(role=Role.CREATOR), state="deleted", deleted_at=NOW)
    nobody = PublishPostOrder("0192f0c1-e3f8-7b0d-9a4f-5f5d8e1c2b3a", post.creator_id)
    assert activities.publish_if_due(order(post)) == PostLook("deleted")
    assert activities.publish_if_due(nobody) == PostLook("deleted")


def test_a_post_whose_only_media_was_rejected_is_a_draft_again(
    activities: PostActivities,
    make_post: MakePost,
    make_user: MakeUser,
    make_media: MakeMedia,
    engine: Engine,
) -> None:
    creator = make_user(role=Role.CREATOR)
    media = make_media(owner=creator, state="rejected", rejection_code="infected")
    post = make_post(creator, media=[media], body="", state="scheduled", publish_at=NOW)
    assert activities.publish_if_due(order(post)) == PostLook("emptied")
    assert row(engine, post).state == PostState.DRAFT


@pytest.mark.parametrize(
    "change", [{"suspended_at": NOW}, {"deleted_at": NOW}, {"role": Role.FAN.value}]
)
def test_what_is_due_of_an_author_who_may_not_publish_is_a_draft_again(
    activities: PostActivities,
    make_post: MakePost,
    make_user: MakeUser,
    engine: Engine,
    change: dict[str, Any],
) -> None:
    post = scheduled(make_post, make_user, NOW - timedelta(seconds=1))
    with transaction(engine) as session:
        author = session.get_one(User, post.creator_id)
        for name, value in change.items():
            setattr(author, name, value)
    assert activities.publish_if_due(order(post)) == PostLook("barred")
    assert row(engine, post).state == PostState.DRAFT


# --- the sweep ---------------------------------------------------------------------------------


@pytest.fixture
async def runs(temporal_client: Client) -> AsyncIterator[list[str]]:
    """Ids of runs that no worker does; ended after the test."""
    ids: list[str] = []
    yield ids
    for workflow_id in ids:
        await temporal_client.get_workflow_handle(workflow_id).terminate()


def run_of(client: Client, post: Post) -> WorkflowHandle[Any, Any]:
    return client.get_workflow_handle(publish_workflow_id(post.id))


async def sweep(activities: PostActivities) -> PostSweepReport:
    report: PostSweepReport = await ActivityEnvironment().run(activities.sweep_posts)
    return report


async def test_the_sweep_publishes_what_is_overdue(
    activities: PostActivities, make_post: MakePost, make_user: MakeUser, engine: Engine
) -> None:
    posts = [scheduled(make_post, make_user, NOW - MINUTES) for _ in range(2)]
    assert await sweep(activities) == PostSweepReport(published=2, tended_runs=0)
    assert {row(engine, post).state for post in posts} == {PostState.PUBLISHED}
    assert await sweep(activities) == PostSweepReport()


async def test_the_sweep_starts_the_run_of_what_is_due_soon(
    activities: PostActivities,
    make_post: MakePost,
    make_user: MakeUser,
    temporal_client: Client,
    runs: list[str],
) -> None:
    soon = scheduled(make_post, make_user, datetime.now(UTC) + MINUTES)
    later = scheduled(make_post, make_user, datetime.now(UTC) + HOUR)
    assert await sweep(activities) == PostSweepReport(published=0, tended_runs=1)
    runs.append(publish_workflow_id(soon.id))
    found = await run_of(temporal_client, soon).describe()
    assert found.status is WorkflowExecutionStatus.RUNNING
    await tell_of_change(temporal_client, later.id)  # Without a run it is no error.


async def test_the_sweep_has_a_run_look_again_that_missed_a_change(
    activities: PostActivities,
    make_post: MakePost,
    make_user: MakeUser,
    temporal_client: Client,
    settings: Settings,
    runs: list[str],
) -> None:
    post = scheduled(make_post, make_user, datetime.now(UTC) + MINUTES)
    runs.append(
        await tend_publishing(temporal_client, order(post), queue_prefix=settings.task_queue_prefix)
    )
    before = (await run_of(temporal_client, post).describe()).run_id
    await sweep(activities)
    history = await run_of(temporal_client, post).fetch_history()
    signals = [
        event
        for event in history.events
        if event.HasField("workflow_execution_signaled_event_attributes")
    ]
    assert len(signals) == 2
    assert (await run_of(temporal_client, post).describe()).run_id == before


async def test_a_post_that_is_being_changed_is_left_to_the_next_tick(
    activities: PostActivities, make_post: MakePost, make_user: MakeUser, engine: Engine
) -> None:
    post = scheduled(make_post, make_user, NOW - MINUTES)
    with transaction(engine) as session:
        session.get_one(Post, post.id, with_for_update=True)
        published = activities._publish_overdue(datetime.now(UTC))
    assert published == 0
