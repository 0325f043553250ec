"""Posts that staff take down, and show again."""

from __future__ import annotations

import httpx2 as httpx
import pytest
from sqlalchemy import select

from domain.accounts import Role
from infra.db import transaction
from infra.models import Mail, Media, Post, User
from tests.e2e.api.admin.conftest import ADMIN, Office, code_of
from tests.e2e.api.published import Publisher
from tests.e2e.api.walk.people import Person
from tests.harness.posts import MakePost

POSTS = "/api/v1/posts"
WHY = {"reason": "It shows somebody who did not agree (rule 3)."}


@pytest.fixture
def media(office: Office, publish: Publisher) -> Media:
    return publish.image(office.people.owner.user, visibility="public")


@pytest.fixture
def post(office: Office, make_post: MakePost, media: Media) -> Post:
    return make_post(office.people.owner.user, audience="public", media=[media])


def judge(office: Office, post: Post, verdict: str = "take-down", **why: str) -> httpx.Response:
    return office.moderator.post(f"{ADMIN}/posts/{post.id}/{verdict}", json=why or WHY)


def shown_to(client: httpx.Client, post: Post) -> bool:
    """In every place at once: the post, its lists, decisions."""
    listed = client.get(f"/api/v1/creators/{post.creator_id}/posts").json()["data"]
    answer = client.get(f"{POSTS}/{post.id}")
    body = {"post_ids": [post.id]}
    [decided] = client.post(f"{POSTS}:batchAccess", json=body).json()["data"]
    said = {answer.status_code == 200, post.id in str(listed), decided["allowed"]}
    assert len(said) == 1, (answer.text, listed, decided)
    return answer.status_code == 200


def mails(office: Office) -> list[Mail]:
    with transaction(office.engine) as session:
        return list(session.scalars(select(Mail).order_by(Mail.id)))


def test_what_is_taken_down_is_shown_nowhere_and_what_is_restored_where_it_stood(
    office: Office, post: Post, make_post: MakePost
) -> None:
    make_post(office.people.owner.user, audience="public")
    viewers = [office.api.client(), *map(office.client, everybody(office))]
    follower = office.client(office.people.follower)
    order = [each["id"] for each in follower.get("/api/v1/feed").json()["data"]]
    assert judge(office, post).status_code == 200
    assert [shown_to(viewer, post) for viewer in viewers] == [False] * len(viewers)
    assert post.id not in follower.get("/api/v1/feed").text
    assert judge(office, post, "restore").status_code == 200
    assert [shown_to(viewer, post) for viewer in viewers] == [True] * len(viewers)
    assert [each["id"] for each in follower.get("/api/v1/feed").json()["data"]] == order


def everybody(office: Office) -> list[Person]:
    people = office.people
    return [people.stranger, people.entitled, people.follower, people.other_creator]


def test_its_author_sees_it_with_the_reason_and_can_only_delete_it(
    office: Office, post: Post
) -> None:
    owner, url = office.client(office.people.owner), f"{POSTS}/{post.id}"
    answer = judge(office, post).json()
    assert (answer["state"], answer["taken_down_reason"]) == ("taken_down", WHY["reason"])
    body = owner.get(url).json()
    assert (body["state"], body["body"]) == ("taken_down", "Only for you")
    assert body["manage"]["taken_down_reason"] == WHY["reason"]
    assert body["manage"]["taken_down_at"] == answer["taken_down_at"]
    [listed] = owner.get("/api/v1/me/posts", params={"state": "taken_down"}).json()["data"]
    assert listed["id"] == post.id
    later = {"publish_at": "2030-01-01T00:00:00Z"}
    for refused in (
        owner.patch(url, json={"body": "x"}, headers={"if-match": "*"}),
        owner.post(f"{url}/publish"),
        owner.put(f"{url}/schedule", json=later),
        owner.delete(f"{url}/schedule"),
        owner.put(f"{url}/pin"),
    ):
        assert code_of(refused) == (409, "post_taken_down")
        assert refused.json()["facts"]["reason"] == WHY["reason"]
    for refused in (owner.put(f"{url}/like"), owner.post(f"{url}/comments", json={"body": "x"})):
        assert code_of(refused) == (409, "not_published")
    assert owner.delete(url).status_code == 204
    assert code_of(judge(office, post, "restore")) == (404, "post_not_found")


def test_its_media_are_hidden_with_it_whatever_its_author_tries(
    office: Office, post: Post, media: Media
) -> None:
    stranger, owner = office.client(office.people.stranger), office.client(office.people.owner)
    url = f"/api/v1/media/{media.id}"
    assert stranger.get(url).status_code == 200
    judge(office, post)
    again = {"media_ids": [media.id], "audience": "public", "state": "published"}
    for _ in range(2):
        assert code_of(stranger.get(url)) == (404, "media_not_found")
        assert owner.get(url).status_code == 200
        assert code_of(owner.post(POSTS, json=again)) == (409, "media_taken_down")
        edit = owner.patch(url, json={"visibility": "public"}, headers={"if-match": "*"})
        assert edit.status_code == 200
        owner.delete(f"{POSTS}/{post.id}")


def test_media_are_shown_again_with_their_post(office: Office, post: Post, media: Media) -> None:
    stranger, url = office.client(office.people.stranger), f"/api/v1/media/{media.id}"
    for verdict, status in (("take-down", 404), ("restore", 200)):
        judge(office, post, verdict)
        assert stranger.get(url).status_code == status


def test_each_verdict_is_written_down_and_its_author_told_once(office: Office, post: Post) -> None:
    owner, moderator = office.people.owner.user, office.people.moderator.user
    for verdict in ("take-down", "take-down", "restore", "restore"):
        assert judge(office, post, verdict).status_code == 200
    for action in ("post.taken_down", "post.restored"):
        [entry] = office.entries(action)
        assert (entry.actor_id, entry.subject_id) == (moderator.id, post.id)
        assert entry.detail == {"owner_id": owner.id, **WHY}
    told = [(each.kind, each.address, each.facts) for each in mails(office)]
    facts = {"post_id": post.id, **WHY}
    assert told == [
        ("post_moderated", owner.email, {"state": "taken_down", **facts}),
        ("post_moderated", owner.email, {"state": "published", **facts}),
    ]


def test_the_first_reason_stands(office: Office, post: Post) -> None:
    judge(office, post)
    assert judge(office, post, reason="Another.").json()["taken_down_reason"] == WHY["reason"]


def test_what_is_not_published_is_not_judged(office: Office, make_post: MakePost) -> None:
    draft = make_post(office.people.owner.user, state="draft")
    assert code_of(judge(office, draft)) == (409, "not_published")
    assert code_of(judge(office, draft, "restore")) == (409, "not_taken_down")


def test_a_pin_is_lost(office: Office, post: Post) -> None:
    owner, url = office.client(office.people.owner), f"{POSTS}/{post.id}"
    assert owner.put(f"{url}/pin").status_code == 200
    judge(office, post)
    judge(office, post, "restore")
    assert owner.get(url).json()["pinned_at"] is None


def test_an_edit_that_was_begun_before_is_refused(office: Office, post: Post) -> None:
    """Also when the post is back: what was judged is what is shown."""
    owner, url = office.client(office.people.owner), f"{POSTS}/{post.id}"
    etag = owner.get(url).headers["etag"]
    judge(office, post)
    judge(office, post, "restore")
    late = owner.patch(url, json={"body": "x"}, headers={"if-match": etag})
    assert code_of(late) == (412, "precondition_failed")


def test_nobody_judges_their_own_post(office: Office, post: Post) -> None:
    with transaction(office.engine) as session:
        session.get_one(User, post.creator_id).role = Role.MODERATOR.value
    owner = office.client(office.people.owner)
    for verdict in ("take-down", "restore"):
        answer = owner.post(f"{ADMIN}/posts/{post.id}/{verdict}", json=WHY)
        assert code_of(answer) == (403, "not_on_yourself")
