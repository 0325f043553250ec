"""What a post shows to whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
from pydantic import BaseModel
from sqlalchemy import Engine, select

from api.posts import schemas
from domain.access import GrantSource
from domain.accounts import Role
from infra.db import transaction
from infra.models import AuditEntry, Block, Creator, Post, User
from tests.e2e.api.published import Publisher
from tests.harness.api import RunningApi, StartApi
from tests.harness.posts import FollowCreator, MakePost
from tests.harness.rows import Entitle, MakeTier, MakeUser

POSTS = "/api/v1/posts"
NOW = datetime.now(UTC)


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


def conforms(body: dict[str, Any], model: type[BaseModel]) -> None:
    """The answer, which is written without its model, is what the model would have written."""
    assert model.model_validate(body).model_dump(mode="json").keys() == body.keys()
    for name, value in body.items():
        field = model.model_fields[name]
        inner = field.annotation
        if isinstance(value, dict) and isinstance(inner, type) and issubclass(inner, BaseModel):
            conforms(value, inner)


def read(client: httpx.Client, post: Post) -> dict[str, Any]:
    answer = client.get(f"{POSTS}/{post.id}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    conforms(body, schemas.PostBody)
    for each in body["media"]:
        conforms(each, schemas.PostMediaBody)
    return body


# --- audience × viewer -------------------------------------------------------------------------

AUDIENCES = ("public", "followers", "subscribers", "tier", "paid", "paid_or_tier")
OPEN_TO = {
    "follower": {"public", "followers"},
    "gift on everything": set(AUDIENCES) - {"paid"},
    "subscriber": {"public", "followers", "subscribers"},
    "subscriber of tier 1": {"public", "followers", "subscribers"},
    "subscriber of tier 2": {"public", "followers", "subscribers", "tier", "paid_or_tier"},
    "subscriber of tier 3": {"public", "followers", "subscribers", "tier", "paid_or_tier"},
    "lapsed subscriber": {"public"},
    "stranger": {"public"},
}
"""Audiences of posts by who reads them; `tier` names the second of three."""


@pytest.mark.parametrize("who", list(OPEN_TO))
def test_who_may_read_which_post(
    api: RunningApi,
    creator: User,
    make_user: MakeUser,
    make_post: MakePost,
    make_tier: MakeTier,
    entitle: Entitle,
    follow: FollowCreator,
    who: str,
) -> None:
    tiers = {rank: make_tier(creator, rank=rank).id for rank in (1, 2, 3)}
    named = {"tier": "tier", "paid_or_tier": "paid"}
    posts = {
        name: make_post(
            creator,
            audience=named.get(name, name),
            tier_id=tiers[2] if name in named else None,
        )
        for name in AUDIENCES
    }
    fan = make_user()
    if who == "follower":
        follow(fan, creator)
    elif who == "gift on everything":
        entitle(fan, creator_id=creator.id)
    elif who != "stranger":
        rank = int(who[-1]) if who[-1].isdigit() else None
        ended = NOW - timedelta(minutes=1) if who.startswith("lapsed") else None
        entitle(
            fan,
            creator_id=creator.id,
            source=GrantSource.SUBSCRIPTION.value,
            tier_id=tiers[rank] if rank else None,
            expires_at=ended,
        )
    client = api.client(fan)
    bodies = {name: read(client, post) for name, post in posts.items()}
    assert {name for name, body in bodies.items() if body["access"]["allowed"]} == OPEN_TO[who]
    decided = client.post(
        f"{POSTS}:batchAccess", json={"post_ids": [each.id for each in posts.values()]}
    ).json()["data"]
    assert [each["allowed"] for each in decided] == [
        body["access"]["allowed"] for body in bodies.values()
    ]


def test_an_unlock_opens_its_post_and_its_media_and_no_other(
    api: RunningApi,
    creator: User,
    make_user: MakeUser,
    make_post: MakePost,
    entitle: Entitle,
    publish: Publisher,
) -> None:
    media = publish.image(creator)
    bought = make_post(creator, audience="paid", media=[media])
    other = make_post(creator, audience="paid", media=[publish.image(creator)])
    fan = make_user()
    entitle(fan, creator_id=creator.id, post_id=bought.id, source="unlock")
    client = api.client(fan)
    assert read(client, bought)["access"]["reason"] == "entitled"
    assert client.get(f"/api/v1/media/{media.id}").json()["access"]["allowed"]
    assert not read(client, other)["access"]["allowed"]


# --- locked ------------------------------------------------------------------------------------


def test_a_locked_post_shows_its_terms_and_blurred_previews_only(
    api: RunningApi, creator: User, make_user: MakeUser, make_post: MakePost, publish: Publisher
) -> None:
    media = [publish.image(creator), publish.video(creator)]
    post = make_post(creator, audience="paid", media=media, like_count=7, body="Only for you")
    client = api.client(make_user())
    answer = client.get(f"{POSTS}/{post.id}")
    body = read(client, post)
    offer = {"kind": "unlock", "post_id": post.id, "price_minor": 500, "currency": "USD"}
    assert offer.items() <= body["access"]["offers"][0].items()
    assert (body["body"], body["like_count"], body["comment_count"]) == (None, None, None)
    assert (body["price_minor"], body["media_count"]) == (500, 2)
    assert [each["kind"] for each in body["media"]] == ["image", "video"]
    kinds = [rendition["kind"] for each in body["media"] for rendition in each["renditions"]]
    assert kinds == ["blur", "poster_blur"]
    for secret in ("Only for you", "A secret beach", "X-Amz-Signature", "thumb.jpg", "w640"):
        assert secret not in answer.text
    assert body["manage"] is None


def test_lists_show_no_more_of_a_locked_post_than_itself(
    api: RunningApi,
    creator: User,
    make_user: MakeUser,
    make_post: MakePost,
    publish: Publisher,
    follow: FollowCreator,
) -> None:
    fan = make_user()
    follow(fan, creator)
    post = make_post(creator, audience="subscribers", media=[publish.image(creator)])
    client = api.client(fan)
    for path in ("/api/v1/feed", f"/api/v1/creators/{creator.id}/posts"):
        answer = client.get(path)
        [body] = answer.json()["data"]
        assert body == read(client, post)
        assert "Only for you" not in answer.text
        conforms(answer.json(), schemas.PostPage)


def test_an_open_post_comes_with_addresses_of_its_media(
    api: RunningApi,
    creator: User,
    make_user: MakeUser,
    make_post: MakePost,
    publish: Publisher,
    entitle: Entitle,
) -> None:
    fan = make_user()
    entitle(fan, creator_id=creator.id)
    first, second = publish.image(creator, stored=True), publish.video(creator)
    post = make_post(creator, media=[second, first], body="Hello")
    client = api.client(fan)
    body = read(client, post)
    assert (body["body"], body["like_count"], body["liked"]) == ("Hello", 0, False)
    assert [each["id"] for each in body["media"]] == [second.id, first.id]
    renditions = {each["name"]: each["url"] for each in body["media"][1]["renditions"]}
    assert httpx.get(renditions["w640.jpg"]).content == b"w640.jpg"
    streamed = [each for each in body["media"][0]["renditions"] if each["kind"] == "video"]
    assert {each["url"] for each in streamed} == {None}
    listed = client.get(f"/api/v1/creators/{creator.id}/posts").json()["data"][0]
    kinds = [[each["kind"] for each in media["renditions"]] for media in listed["media"]]
    assert kinds == [["poster"], ["thumbnail"]]


def test_a_media_that_is_not_ready_or_was_deleted_is_left_out(
    api: RunningApi,
    creator: User,
    make_user: MakeUser,
    make_post: MakePost,
    publish: Publisher,
) -> None:
    states = ("ready", "held", "ready")
    shown, held, gone = (publish.image(creator, state=state) for state in states)
    post = make_post(creator, audience="public", media=[shown, held, gone])
    assert api.client(creator).delete(f"/api/v1/media/{gone.id}").status_code == 202
    assert [each["id"] for each in read(api.client(make_user()), post)["media"]] == [shown.id]
    own = read(api.client(creator), post)
    assert [each["state"] for each in own["media"]] == ["ready", "held"]
    assert own["media_count"] == 2


# --- blocks, regions, accounts -----------------------------------------------------------------


@pytest.mark.parametrize("by_creator", [True, False])
def test_a_block_hides_posts_both_ways(
    api: RunningApi,
    creator: User,
    make_user: MakeUser,
    make_post: MakePost,
    follow: FollowCreator,
    engine: Engine,
    by_creator: bool,
) -> None:
    fan = make_user()
    follow(fan, creator)
    post = make_post(creator, audience="public")
    pair = (creator.id, fan.id) if by_creator else (fan.id, creator.id)
    with transaction(engine) as session:
        session.add(Block(blocker_id=pair[0], blocked_id=pair[1]))
    client = api.client(fan)
    assert client.get(f"{POSTS}/{post.id}").status_code == 404
    assert client.get(f"/api/v1/creators/{creator.id}/posts").status_code == 404
    assert client.get("/api/v1/feed").json()["data"] == []


def test_a_region_that_a_creator_leaves_out_sees_nothing_of_them(
    start_api: StartApi,
    creator: User,
    make_user: MakeUser,
    make_post: MakePost,
    follow: FollowCreator,
    engine: Engine,
) -> None:
    api = start_api(country_header="cf-ipcountry")
    fan = make_user()
    follow(fan, creator)
    post = make_post(creator, audience="public")
    with transaction(engine) as session:
        session.get_one(Creator, creator.id).blocked_countries = ["DE"]
    client = api.client(fan)
    for country, status, listed in (("DE", 404, 0), ("FR", 200, 1)):
        headers = {"cf-ipcountry": country}
        assert client.get(f"{POSTS}/{post.id}", headers=headers).status_code == status
        path = f"/api/v1/creators/{creator.id}/posts"
        assert client.get(path, headers=headers).status_code == status
        assert len(client.get("/api/v1/feed", headers=headers).json()["data"]) == listed


def test_posts_of_a_suspended_creator_are_gone_until_it_ends(
    api: RunningApi, creator: User, make_user: MakeUser, make_post: MakePost, engine: Engine
) -> None:
    post = make_post(creator, audience="public")
    client = api.client(make_user())
    for suspended_at, status in ((NOW, 404), (None, 200)):
        with transaction(engine) as session:
            session.get_one(User, creator.id).suspended_at = suspended_at
        assert client.get(f"{POSTS}/{post.id}").status_code == status


def test_what_is_unseen_and_what_is_not_there_look_the_same(
    api: RunningApi, creator: User, make_user: MakeUser, make_post: MakePost
) -> None:
    draft = make_post(creator, state="draft")
    client = api.client(make_user())
    absent = "0192f0c1-e3f8-7b0d-9a4f-5f5d8e1c2b3a"
    unseen, nothing = (client.get(f"{POSTS}/{each}").json() for each in (draft.id, absent))
    for body in (unseen, nothing):
        for own in ("instance", "request_id", "facts"):
            del body[own]
    assert unseen == nothing


def test_what_staff_look_at_by_their_office_is_written_down(
    api: RunningApi, creator: User, make_user: MakeUser, make_post: MakePost, engine: Engine
) -> None:
    moderator = make_user(role=Role.MODERATOR)
    open_post, closed = make_post(creator, audience="public"), make_post(creator)
    client = api.client(moderator)
    for post in (open_post, closed):
        assert read(client, post)["body"] == "Only for you"
    client.get(f"/api/v1/creators/{creator.id}/posts")
    with transaction(engine) as session:
        entries = session.scalars(
            select(AuditEntry).where(AuditEntry.actor_id == moderator.id).order_by(AuditEntry.id)
        ).all()
    assert [(each.action, each.subject_id) for each in entries] == [
        ("post.viewed", closed.id),
        ("post.listed", closed.id),
    ]
    assert all(each.request_id for each in entries)


# --- lists -------------------------------------------------------------------------------------


def test_pages_of_a_creators_posts_and_of_those_that_are_pinned(
    api: RunningApi, creator: User, make_post: MakePost
) -> None:
    posts = [
        make_post(creator, audience="public", published_at=NOW - timedelta(minutes=number))
        for number in range(5)
    ]
    assert api.client(creator).put(f"{POSTS}/{posts[3].id}/pin").status_code == 200
    client, path = api.client(), f"/api/v1/creators/{creator.id}/posts"
    found, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = client.get(path, params=query).json()
        found += [each["id"] for each in page["data"]]
        cursor = page["next_cursor"]
        assert page["has_more"] is (cursor is not None)
        if cursor is None:
            break
    assert found == [each.id for each in posts]
    pinned = client.get(path, params={"pinned": True}).json()["data"]
    assert [each["id"] for each in pinned] == [posts[3].id]


def test_ones_own_posts_by_state(api: RunningApi, creator: User, make_post: MakePost) -> None:
    later = NOW + timedelta(hours=1)
    made = {
        "draft": make_post(creator, state="draft"),
        "scheduled": make_post(creator, state="scheduled", publish_at=later),
        "published": make_post(creator),
        "deleted": make_post(creator, state="deleted", deleted_at=NOW),
    }
    client = api.client(creator)
    everything = client.get("/api/v1/me/posts").json()["data"]
    assert {each["id"] for each in everything} == {
        each.id for state, each in made.items() if state != "deleted"
    }
    for state in ("draft", "scheduled", "published"):
        [body] = client.get("/api/v1/me/posts", params={"state": state}).json()["data"]
        assert (body["id"], body["state"]) == (made[state].id, state)


def test_more_ids_than_can_be_decided_at_once(api: RunningApi) -> None:
    ids = ["0192f0c1-e3f8-7b0d-9a4f-5f5d8e1c2b3a"] * 101
    answer = api.client().post(f"{POSTS}:batchAccess", json={"post_ids": ids})
    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_ids")


def test_a_feed_holds_what_one_follows_or_subscribes_to_and_nothing_else(
    api: RunningApi,
    make_user: MakeUser,
    make_post: MakePost,
    follow: FollowCreator,
    entitle: Entitle,
) -> None:
    fan = make_user()
    followed, subscribed, unlocked, other = (make_user(role=Role.CREATOR) for _ in range(4))
    posts = {each.id: make_post(each) for each in (followed, subscribed, unlocked, other)}
    follow(fan, followed)
    entitle(fan, creator_id=subscribed.id)
    entitle(fan, creator_id=unlocked.id, post_id=posts[unlocked.id].id, source="unlock")
    body = api.client(fan).get("/api/v1/feed").json()
    assert {each["author"]["id"]: each["access"]["allowed"] for each in body["data"]} == {
        followed.id: False,
        subscribed.id: True,
    }
