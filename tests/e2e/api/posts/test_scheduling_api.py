"""Scheduled posts, from the request to the moment they are there: real Temporal, real workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine
from temporalio.client import Client
from temporalio.worker import Worker

from activities.posts import PostActivities
from domain.accounts import Role
from domain.ids import publish_workflow_id
from infra.settings import Settings
from tests.harness.api import RunningApi, StartApi
from tests.harness.posts import MakePost
from tests.harness.rows import MakeUser
from workflows.posts.messages import PostLook, PublishPostOrder
from workflows.queues import Queue, queue_name
from workflows.runner import WORKFLOWS, workflow_runner

POSTS = "/api/v1/posts"


@pytest.fixture
def prefix(settings: Settings) -> str:
    """Queues of our own: on the API's lie runs that tests without workers have begun."""
    return f"{settings.task_queue_prefix}scheduling-"


@pytest.fixture
def api(start_api: StartApi, prefix: str) -> RunningApi:
    return start_api(task_queue_prefix=prefix)


@pytest.fixture
async def workers(
    settings: Settings, prefix: str, engine: Engine, temporal_client: Client
) -> AsyncIterator[None]:
    posts = PostActivities(settings, engine, temporal_client)
    with ThreadPoolExecutor(2) as threads:
        workflows = Worker(
            temporal_client,
            task_queue=queue_name(Queue.WORKFLOWS, prefix=prefix),
            workflows=list(WORKFLOWS),
            workflow_runner=workflow_runner(),
        )
        activities = Worker(
            temporal_client,
            task_queue=queue_name(Queue.IO, prefix=prefix),
            activities=posts.on_queues()[Queue.IO],
            activity_executor=threads,
        )
        async with workflows, activities:
            yield


@pytest.fixture
def creator(api: RunningApi, make_user: MakeUser) -> httpx.Client:
    return api.client(make_user(role=Role.CREATOR))


def after(**span: float) -> str:
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


def schedule(client: httpx.Client, publish_at: str) -> dict[str, Any]:
    wish = {"body": "Soon", "state": "scheduled", "publish_at": publish_at}
    answer = client.post(POSTS, json=wish)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    assert (body["state"], body["published_at"]) == ("scheduled", None)
    return body


async def published(client: httpx.Client, post_id: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            body: dict[str, Any] = client.get(f"{POSTS}/{post_id}").json()
            if body["state"] == "published":
                return body
            await asyncio.sleep(0.1)


async def ended(client: Client, post_id: str) -> PostLook:
    run = client.get_workflow_handle(publish_workflow_id(post_id), result_type=PostLook)
    async with asyncio.timeout(20):
        look: PostLook = await run.result()
    return look


@pytest.mark.usefixtures("workers")
async def test_a_scheduled_post_is_there_when_its_time_has_come(creator: httpx.Client) -> None:
    due = datetime.now(UTC) + timedelta(seconds=1.5)
    post = schedule(creator, due.isoformat())
    body = await published(creator, post["id"])
    assert datetime.fromisoformat(body["published_at"]) >= due
    assert body["manage"]["publish_at"] is None


@pytest.mark.usefixtures("workers")
async def test_a_post_rescheduled_to_earlier_comes_earlier(creator: httpx.Client) -> None:
    post = schedule(creator, after(hours=1))
    answer = creator.put(f"{POSTS}/{post['id']}/schedule", json={"publish_at": after(seconds=1)})
    assert answer.status_code == 200
    await published(creator, post["id"])


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize(
    ("method", "path", "outcome"),
    [
        ("DELETE", "/schedule", "unscheduled"),
        ("POST", "/publish", "published"),
        ("DELETE", "", "deleted"),
    ],
)
async def test_what_ends_the_waiting_ends_the_run(
    creator: httpx.Client,
    temporal_client: Client,
    method: str,
    path: str,
    outcome: str,
) -> None:
    post = schedule(creator, after(hours=1))
    assert creator.request(method, f"{POSTS}/{post['id']}{path}").is_success
    assert (await ended(temporal_client, post["id"])).outcome == outcome


@pytest.mark.usefixtures("workers")
async def test_a_post_can_be_scheduled_anew(creator: httpx.Client, temporal_client: Client) -> None:
    post = schedule(creator, after(hours=1))
    url = f"{POSTS}/{post['id']}/schedule"
    assert creator.delete(url).json()["state"] == "draft"
    assert creator.delete(url).status_code == 200
    await ended(temporal_client, post["id"])
    assert creator.put(url, json={"publish_at": after(seconds=1)}).status_code == 200
    await published(creator, post["id"])


@pytest.mark.parametrize("act", ["cancel", "move", "publish", "delete"])
async def test_whatever_an_author_does_at_the_moment_itself_counts_or_is_refused(
    settings: Settings,
    engine: Engine,
    temporal_client: Client,
    api: RunningApi,
    make_user: MakeUser,
    make_post: MakePost,
    act: str,
) -> None:
    """The timer and the author reach for the post at once, and one of them comes first."""
    owner = make_user(role=Role.CREATOR)
    client, activities = api.client(owner), PostActivities(settings, engine, temporal_client)
    calls: dict[str, Callable[[str], httpx.Response]] = {
        "cancel": lambda url: client.delete(f"{url}/schedule"),
        "move": lambda url: client.put(f"{url}/schedule", json={"publish_at": after(hours=1)}),
        "publish": lambda url: client.post(f"{url}/publish"),
        "delete": lambda url: client.delete(url),
    }
    left = {"cancel": "draft", "move": "scheduled", "publish": "published", "delete": None}
    for _ in range(8):
        post = make_post(owner, state="scheduled", publish_at=datetime.now(UTC))
        order = PublishPostOrder(post.id, owner.id)
        look = asyncio.to_thread(activities.publish_if_due, order)
        call = asyncio.to_thread(calls[act], f"{POSTS}/{post.id}")
        seen, answer = await asyncio.gather(look, call)
        shown = client.get(f"{POSTS}/{post.id}")
        state = shown.json()["state"] if shown.is_success else None
        if answer.is_success:
            assert state == left[act], seen
        else:
            assert (answer.json()["code"], state) == ("already_published", "published")
        if act == "publish" or not answer.is_success:
            assert shown.json()["manage"]["version"] == post.version + 1, "published once"


def test_scheduling_succeeds_while_temporal_is_away(
    start_api: StartApi, make_user: MakeUser
) -> None:
    api = start_api(temporal_address="127.0.0.1:1")
    creator = api.client(make_user(role=Role.CREATOR))
    post = schedule(creator, after(hours=1))
    answer = creator.post(f"{POSTS}/{post['id']}/publish")
    assert (answer.status_code, answer.json()["state"]) == (200, "published")


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"state": "scheduled"}, "publish_at_unfit"),
        ({"publish_at": after(hours=1)}, "publish_at_unfit"),
        ({"state": "scheduled", "publish_at": after(seconds=-1)}, "publish_at_past"),
        ({"state": "scheduled", "publish_at": after(days=366)}, "publish_at_too_far"),
        ({"state": "scheduled", "publish_at": "2030-01-01T00:00:00"}, "invalid_request"),
    ],
)
def test_times_that_break_a_rule(creator: httpx.Client, wish: dict[str, Any], code: str) -> None:
    answer = creator.post(POSTS, json={"body": "Soon", **wish})
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_what_is_published_is_not_scheduled(creator: httpx.Client) -> None:
    post = creator.post(POSTS, json={"body": "Now", "state": "published"}).json()
    url = f"{POSTS}/{post['id']}"
    for answer in (
        creator.put(f"{url}/schedule", json={"publish_at": after(hours=1)}),
        creator.delete(f"{url}/schedule"),
        creator.post(f"{url}/publish"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "already_published")
