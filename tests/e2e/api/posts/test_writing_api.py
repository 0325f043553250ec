"""Writing, changing, publishing and deleting posts."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, select

from domain.accounts import Role
from infra.db import transaction
from infra.models import AuditEntry, User
from tests.e2e.api.published import Publisher
from tests.harness.api import RunningApi
from tests.harness.posts import MakePost
from tests.harness.rows import MakeMedia, MakeTier, MakeUser

POSTS = "/api/v1/posts"
NOWHERE = "0192f0c1-e3f8-7b0d-9a4f-5f5d8e1c2b3a"


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


@pytest.fixture
def client(api: RunningApi, creator: User) -> httpx.Client:
    return api.client(creator)


def outcome(answer: httpx.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("code")


def patch(client: httpx.Client, post_id: str, **changes: Any) -> httpx.Response:
    return client.patch(f"{POSTS}/{post_id}", json=changes, headers={"if-match": "*"})


def test_a_draft_is_written_then_published(
    client: httpx.Client, publish: Publisher, creator: User
) -> None:
    media = [publish.image(creator), publish.image(creator)]
    wish = {"body": "  Hello  ", "media_ids": [each.id for each in reversed(media)]}
    answer = client.post(POSTS, json=wish)
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{POSTS}/{body['id']}"
    assert answer.headers["etag"] == '"v1"'
    assert (body["state"], body["audience"], body["body"]) == ("draft", "subscribers", "Hello")
    assert [each["id"] for each in body["media"]] == wish["media_ids"]
    assert body["access"]["reason"] == "owner"
    published = client.post(f"{POSTS}/{body['id']}/publish")
    assert (published.status_code, published.json()["state"]) == (200, "published")
    assert published.json()["published_at"] is not None


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"audience": "tier"}, "tier_missing"),
        ({"audience": "tier", "tier_id": NOWHERE}, "tier_unknown"),
        ({"audience": "public", "tier_id": NOWHERE}, "tier_unfit"),
        ({"audience": "paid"}, "price_missing"),
        ({"audience": "paid", "price_minor": 500}, "price_missing"),
        ({"audience": "paid", "price_minor": 99, "currency": "USD"}, "price_out_of_bounds"),
        ({"audience": "paid", "price_minor": 50_001, "currency": "EUR"}, "price_out_of_bounds"),
        ({"audience": "paid", "price_minor": 500, "currency": "XXX"}, "currency_unknown"),
        ({"audience": "followers", "price_minor": 500, "currency": "USD"}, "price_unfit"),
    ],
)
def test_terms_that_break_a_rule(client: httpx.Client, terms: dict[str, Any], code: str) -> None:
    assert outcome(client.post(POSTS, json={"body": "x", **terms})) == (422, code)


def test_a_tier_has_to_be_ones_own(
    client: httpx.Client, creator: User, make_user: MakeUser, make_tier: MakeTier
) -> None:
    own, other = make_tier(creator, rank=1), make_tier(make_user(role=Role.CREATOR), rank=1)
    for tier, said in ((own, (201, None)), (other, (422, "tier_unknown"))):
        wish = {"body": "x", "audience": "tier", "tier_id": tier.id}
        assert outcome(client.post(POSTS, json=wish)) == said


def test_media_that_a_post_can_not_carry(
    client: httpx.Client, creator: User, make_user: MakeUser, make_media: MakeMedia
) -> None:
    own, other = make_media(owner=creator), make_media(owner=make_user(role=Role.CREATOR))
    rejected = make_media(owner=creator, state="rejected", rejection_code="infected")
    avatar = make_media(owner=creator, purpose="avatar")
    cases: list[tuple[list[str], tuple[int, str]]] = [
        ([own.id, own.id], (422, "media_repeated")),
        ([NOWHERE], (422, "media_unknown")),
        ([other.id], (422, "media_unknown")),
        ([avatar.id], (422, "media_unfit")),
        ([rejected.id], (409, "media_not_usable")),
        ([NOWHERE] * 21, (422, "invalid_request")),
    ]
    for media_ids, said in cases:
        assert outcome(client.post(POSTS, json={"media_ids": media_ids})) == said


def test_what_is_empty_is_not_published(client: httpx.Client) -> None:
    draft = client.post(POSTS, json={}).json()
    assert outcome(client.post(f"{POSTS}/{draft['id']}/publish")) == (409, "post_empty")
    assert outcome(client.post(POSTS, json={"state": "published"})) == (409, "post_empty")
    post = client.post(POSTS, json={"body": "x", "state": "published"}).json()
    assert outcome(patch(client, post["id"], body="")) == (409, "post_empty")


def test_a_public_media_stays_out_of_posts_that_are_not_public(
    client: httpx.Client, creator: User, publish: Publisher
) -> None:
    public, gated = publish.image(creator, visibility="public"), publish.image(creator)
    refused = (409, "media_is_public")
    assert outcome(client.post(POSTS, json={"media_ids": [public.id]})) == refused
    wish = {"media_ids": [public.id], "audience": "public"}
    post = client.post(POSTS, json=wish).json()
    assert outcome(patch(client, post["id"], audience="followers")) == refused
    closed = client.post(POSTS, json={"media_ids": [gated.id]}).json()
    assert outcome(patch(client, closed["id"], media_ids=[public.id])) == refused
    url, headers = f"/api/v1/media/{gated.id}", {"if-match": "*"}
    edit = {"visibility": "public"}
    assert outcome(client.patch(url, json=edit, headers=headers)) == refused
    assert client.delete(f"{POSTS}/{closed['id']}").status_code == 204
    assert client.patch(url, json=edit, headers=headers).status_code == 200


def test_an_edit_needs_the_etag_of_what_it_edits(client: httpx.Client) -> None:
    post = client.post(POSTS, json={"body": "one"}).json()
    url = f"{POSTS}/{post['id']}"
    assert outcome(client.patch(url, json={"body": "two"})) == (428, "precondition_required")
    first = client.patch(url, json={"body": "two"}, headers={"if-match": '"v1"'})
    assert (first.status_code, first.headers["etag"]) == (200, '"v2"')
    late = client.patch(url, json={"body": "three"}, headers={"if-match": '"v1"'})
    assert outcome(late) == (412, "precondition_failed")
    assert client.get(url).json()["body"] == "two"


def test_a_new_audience_begins_without_the_terms_of_the_old_one(client: httpx.Client) -> None:
    wish = {"body": "x", "audience": "paid", "price_minor": 500, "currency": "USD"}
    post = client.post(POSTS, json=wish).json()
    body = patch(client, post["id"], audience="followers").json()
    assert (body["audience"], body["price_minor"], body["currency"]) == ("followers", None, None)
    assert outcome(patch(client, post["id"], audience="paid")) == (422, "price_missing")


def test_what_stays_once_a_post_is_published(
    client: httpx.Client, creator: User, publish: Publisher, engine: Engine
) -> None:
    price = {"audience": "paid", "price_minor": 500, "currency": "USD"}
    post = client.post(POSTS, json={"body": "x", "state": "published", **price}).json()
    media_ids = [publish.image(creator).id]
    stays = (409, "published_terms_stay")
    assert outcome(patch(client, post["id"], media_ids=media_ids)) == (409, "published_media_stay")
    assert outcome(patch(client, post["id"], audience="public")) == stays
    assert outcome(patch(client, post["id"], currency="EUR")) == stays
    edited = patch(client, post["id"], price_minor=700, body="y", comments_enabled=False)
    body = edited.json()
    assert (body["price_minor"], body["body"], body["comments_enabled"]) == (700, "y", False)
    assert body["edited_at"] is not None and edited.headers["etag"] == '"v3"'
    with transaction(engine) as session:
        entry = session.scalars(select(AuditEntry)).one()
    said = {"from_minor": 500, "to_minor": 700, "currency": "USD", "version": 3}
    assert (entry.action, entry.subject_id, entry.detail) == (
        "post.price_changed",
        post["id"],
        said,
    )
    free = client.post(POSTS, json={"body": "x", "state": "published"}).json()
    assert outcome(patch(client, free["id"], **price)) == stays
    assert patch(client, free["id"], audience="public").status_code == 200


def test_a_deleted_post_is_gone_at_once_and_its_media_stay(
    client: httpx.Client, creator: User, publish: Publisher
) -> None:
    media = publish.image(creator)
    wish = {"media_ids": [media.id], "state": "published"}
    post = client.post(POSTS, json=wish).json()
    url = f"{POSTS}/{post['id']}"
    assert client.delete(url).status_code == 204
    assert outcome(client.delete(url)) == (404, "post_not_found")
    assert outcome(client.get(url)) == (404, "post_not_found")
    assert client.get(f"/api/v1/media/{media.id}").json()["state"] == "ready"


def test_up_to_three_posts_are_pinned(
    client: httpx.Client, creator: User, make_post: MakePost
) -> None:
    posts = [make_post(creator) for _ in range(4)]
    for post in posts[:3]:
        assert client.put(f"{POSTS}/{post.id}/pin").json()["pinned_at"] is not None
    assert client.put(f"{POSTS}/{posts[0].id}/pin").status_code == 200
    assert outcome(client.put(f"{POSTS}/{posts[3].id}/pin")) == (409, "too_many_pinned")
    assert client.delete(f"{POSTS}/{posts[0].id}/pin").json()["pinned_at"] is None
    assert client.put(f"{POSTS}/{posts[3].id}/pin").status_code == 200
    draft = make_post(creator, state="draft")
    assert outcome(client.put(f"{POSTS}/{draft.id}/pin")) == (409, "not_published")


def test_a_closed_account_writes_nothing(
    client: httpx.Client, creator: User, engine: Engine
) -> None:
    with transaction(engine) as session:
        user = session.get_one(User, creator.id)
        user.suspended_at = user.created_at
    assert outcome(client.post(POSTS, json={"body": "x"})) == (401, "session_ended")
