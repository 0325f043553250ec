"""Likes and comments."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, func, select

from domain.accounts import Role
from infra.db import transaction
from infra.models import AuditEntry, Block, Entitlement, Post, PostLike, User
from tests.harness.api import RunningApi
from tests.harness.posts import MakePost
from tests.harness.rows import Entitle, MakeUser

POSTS = "/api/v1/posts"
COMMENTS = "/api/v1/comments"


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


@pytest.fixture
def post(creator: User, make_post: MakePost) -> Post:
    return make_post(creator, audience="public")


def outcome(answer: httpx.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("code")


def comment(client: httpx.Client, post: Post, body: str = "Nice") -> dict[str, Any]:
    answer = client.post(f"{POSTS}/{post.id}/comments", json={"body": body})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def count_of(engine: Engine, post: Post) -> tuple[int, int]:
    with transaction(engine) as session:
        row = session.get_one(Post, post.id)
        return row.like_count, row.comment_count


# --- likes -------------------------------------------------------------------------------------


def test_liking_twice_is_liking_once(api: RunningApi, post: Post, make_user: MakeUser) -> None:
    client, url = api.client(make_user()), f"{POSTS}/{post.id}/like"
    for _ in range(2):
        assert client.put(url).json() == {"liked": True, "like_count": 1}
    assert client.get(f"{POSTS}/{post.id}").json()["liked"] is True
    for _ in range(2):
        assert client.delete(url).json() == {"liked": False, "like_count": 0}


def test_likes_of_many_at_once_are_counted_exactly(
    api: RunningApi, post: Post, make_user: MakeUser, engine: Engine
) -> None:
    """Each likes several times and takes it back in between; in the end half of them like it."""
    clients = [api.client(make_user()) for _ in range(8)]
    url = f"{POSTS}/{post.id}/like"

    def act(number: int) -> list[int]:
        client = clients[number]
        last = "PUT" if number % 2 else "DELETE"
        verbs = ["PUT", "PUT", "DELETE", "PUT", last, last]
        return [client.request(verb, url).status_code for verb in verbs]

    with ThreadPoolExecutor(8) as threads:
        statuses = {status for each in threads.map(act, range(8)) for status in each}
    assert statuses == {200}
    with transaction(engine) as session:
        rows = session.scalar(select(func.count()).select_from(PostLike))
    assert (count_of(engine, post)[0], rows) == (4, 4)


def test_one_person_at_many_devices_likes_once(
    api: RunningApi, post: Post, make_user: MakeUser, engine: Engine
) -> None:
    fan = make_user()
    clients = [api.client(fan) for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda client: client.put(f"{POSTS}/{post.id}/like"), clients))
    assert count_of(engine, post)[0] == 1


def test_a_locked_post_is_not_liked_nor_commented(
    api: RunningApi, creator: User, make_post: MakePost, make_user: MakeUser
) -> None:
    locked = make_post(creator, audience="paid")
    client, url = api.client(make_user()), f"{POSTS}/{locked.id}"
    for answer in (
        client.put(f"{url}/like"),
        client.post(f"{url}/comments", json={"body": "x"}),
        client.get(f"{url}/comments"),
    ):
        assert outcome(answer) == (402, "payment_required")
        assert answer.json()["offers"][0]["post_id"] == locked.id


def test_a_lapsed_subscriber_may_still_take_a_like_back_and_learns_no_count(
    api: RunningApi,
    creator: User,
    make_user: MakeUser,
    make_post: MakePost,
    entitle: Entitle,
    engine: Engine,
) -> None:
    fan, gated = make_user(), make_post(creator, like_count=6)
    right = entitle(fan, creator_id=creator.id)
    client, url = api.client(fan), f"{POSTS}/{gated.id}/like"
    assert client.put(url).json() == {"liked": True, "like_count": 7}
    with transaction(engine) as session:
        session.get_one(Entitlement, right.id).revoked_at = datetime.now(UTC)
    assert outcome(client.put(url)) == (402, "payment_required")
    assert client.delete(url).json() == {"liked": False, "like_count": None}
    assert count_of(engine, gated)[0] == 6


# --- comments ----------------------------------------------------------------------------------


def test_comments_are_listed_newest_first_page_by_page(
    api: RunningApi, post: Post, make_user: MakeUser
) -> None:
    fan = make_user(display_name="Ada")
    client = api.client(fan)
    made = [comment(client, post, f"Number {number}")["id"] for number in range(5)]
    found, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = api.client().get(f"{POSTS}/{post.id}/comments", params=query).json()
        found += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [each["id"] for each in found] == made[::-1]
    assert found[0]["body"] == "Number 4"
    assert found[0]["author"]["display_name"] == "Ada"


def test_an_author_edits_their_comment_by_its_etag(
    api: RunningApi, post: Post, make_user: MakeUser
) -> None:
    client = api.client(make_user())
    url = f"{COMMENTS}/{comment(client, post)['id']}"
    assert outcome(client.patch(url, json={"body": "x"})) == (428, "precondition_required")
    edited = client.patch(url, json={"body": "Nicer"}, headers={"if-match": '"v1"'})
    assert edited.json()["body"] == "Nicer" and edited.json()["edited_at"] is not None
    assert edited.headers["etag"] == '"v2"'
    late = client.patch(url, json={"body": "x"}, headers={"if-match": '"v1"'})
    assert outcome(late) == (412, "precondition_failed")


@pytest.mark.parametrize("by", ["author", "owner", "staff"])
def test_who_deletes_a_comment_and_what_is_written_down(
    api: RunningApi, creator: User, post: Post, make_user: MakeUser, engine: Engine, by: str
) -> None:
    people = {"author": make_user(), "owner": creator, "staff": make_user(role=Role.MODERATOR)}
    made = comment(api.client(people["author"]), post)
    assert count_of(engine, post)[1] == 1
    client, url = api.client(people[by]), f"{COMMENTS}/{made['id']}"
    assert client.delete(url).status_code == 204
    assert outcome(client.delete(url)) == (404, "comment_not_found")
    assert count_of(engine, post)[1] == 0
    assert client.get(f"{POSTS}/{post.id}/comments").json()["data"] == []
    with transaction(engine) as session:
        entries = [
            (each.action, each.actor_id, each.subject_id, each.detail)
            for each in session.scalars(select(AuditEntry))
        ]
    said = {"author_id": people["author"].id, "post_id": post.id}
    written = ("comment.deleted", people["staff"].id, made["id"], said)
    assert entries == ([written] if by == "staff" else [])


def test_deleting_at_once_from_two_sides_counts_once(
    api: RunningApi, creator: User, post: Post, make_user: MakeUser, engine: Engine
) -> None:
    fan = make_user()
    comment(api.client(fan), post)
    made = comment(api.client(fan), post)
    sides = [api.client(fan), api.client(creator)]
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda side: side.delete(f"{COMMENTS}/{made['id']}"), sides))
    assert sorted(each.status_code for each in answers) == [204, 404]
    assert count_of(engine, post)[1] == 1


def test_closed_comments_take_no_more_and_show_what_is_there(
    api: RunningApi, creator: User, post: Post, make_user: MakeUser
) -> None:
    client = api.client(make_user())
    made = comment(client, post)
    closed = api.client(creator).patch(
        f"{POSTS}/{post.id}", json={"comments_enabled": False}, headers={"if-match": "*"}
    )
    assert closed.status_code == 200
    answer = client.post(f"{POSTS}/{post.id}/comments", json={"body": "x"})
    assert outcome(answer) == (409, "comments_closed")
    [shown] = client.get(f"{POSTS}/{post.id}/comments").json()["data"]
    assert shown["id"] == made["id"]


def test_comments_of_whom_one_blocks_are_not_shown(
    api: RunningApi, post: Post, make_user: MakeUser, engine: Engine
) -> None:
    reader, pest = make_user(), make_user()
    comment(api.client(pest), post)
    with transaction(engine) as session:
        session.add(Block(blocker_id=reader.id, blocked_id=pest.id))
    assert api.client(reader).get(f"{POSTS}/{post.id}/comments").json()["data"] == []
    assert len(api.client().get(f"{POSTS}/{post.id}/comments").json()["data"]) == 1


@pytest.mark.parametrize("by_creator", [True, False])
def test_below_a_post_nobody_reads_whom_its_author_is_to_have_nothing_to_do_with(
    api: RunningApi,
    creator: User,
    post: Post,
    make_user: MakeUser,
    engine: Engine,
    by_creator: bool,
) -> None:
    """Else its author could neither see nor delete what stands there for all others."""
    pest = make_user()
    comment(api.client(pest), post)
    kept = comment(api.client(make_user()), post)
    pair = (creator.id, pest.id) if by_creator else (pest.id, creator.id)
    with transaction(engine) as session:
        session.add(Block(blocker_id=pair[0], blocked_id=pair[1]))
    for client in (api.client(), api.client(make_user()), api.client(creator)):
        [shown] = client.get(f"{POSTS}/{post.id}/comments").json()["data"]
        assert shown["id"] == kept["id"]


def test_a_lapsed_subscriber_may_still_delete_what_they_wrote(
    api: RunningApi,
    creator: User,
    make_user: MakeUser,
    make_post: MakePost,
    entitle: Entitle,
    engine: Engine,
) -> None:
    fan = make_user()
    right = entitle(fan, creator_id=creator.id)
    gated = make_post(creator)
    client = api.client(fan)
    url = f"{COMMENTS}/{comment(client, gated)['id']}"
    with transaction(engine) as session:
        session.get_one(Entitlement, right.id).revoked_at = datetime.now(UTC)
    edit = client.patch(url, json={"body": "x"}, headers={"if-match": "*"})
    assert outcome(edit) == (402, "payment_required")
    assert client.delete(url).status_code == 204


def test_below_a_post_that_is_gone_one_deletes_a_comment_and_edits_none(
    api: RunningApi, creator: User, post: Post, make_user: MakeUser
) -> None:
    client = api.client(make_user())
    url = f"{COMMENTS}/{comment(client, post)['id']}"
    assert api.client(creator).delete(f"{POSTS}/{post.id}").status_code == 204
    edit = client.patch(url, json={"body": "x"}, headers={"if-match": "*"})
    assert outcome(edit) == (404, "comment_not_found")
    assert client.delete(url).status_code == 204


def test_what_staff_read_below_a_post_by_their_office_is_written_down(
    api: RunningApi,
    creator: User,
    post: Post,
    make_user: MakeUser,
    make_post: MakePost,
    engine: Engine,
) -> None:
    moderator, gated = make_user(role=Role.MODERATOR), make_post(creator)
    for each in (post, gated):
        answer = api.client(moderator).get(f"{POSTS}/{each.id}/comments")
        assert answer.status_code == 200
    with transaction(engine) as session:
        entry = session.scalars(select(AuditEntry)).one()
    assert (entry.action, entry.actor_id, entry.subject_id, entry.detail) == (
        "comment.listed",
        moderator.id,
        gated.id,
        {"owner_id": creator.id},
    )


@pytest.mark.parametrize("body", ["", "   ", "x" * 2001, "a\x00b"])
def test_texts_that_are_no_comment(
    api: RunningApi, post: Post, make_user: MakeUser, body: str
) -> None:
    answer = api.client(make_user()).post(f"{POSTS}/{post.id}/comments", json={"body": body})
    assert outcome(answer) == (422, "invalid_request")
