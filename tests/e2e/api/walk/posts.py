"""Rows of posts, of what people do with them, and of comments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx

from infra.db import transaction
from infra.ids import new_id
from infra.models import Comment, Post
from tests.e2e.api.walk.rows import (
    ABSENT,
    LOCKED,
    OPEN,
    SECRET_TEXT,
    SHOWN,
    Case,
    Outcome,
    Row,
    Stage,
    each,
)
from tests.harness.posts import write_post

API = "/api/v1"
POSTS = f"{API}/posts"
Call = Callable[[Case[Post]], httpx.Response]

OFFICE: dict[str, Outcome] = {"owner": OPEN, "moderator": OPEN, "admin": OPEN}
SEEN = {
    "public": each(OPEN, blocked=404),
    "followers": each(LOCKED, anonymous=404, blocked=404, entitled=OPEN, follower=OPEN, **OFFICE),
    "subscribers": each(LOCKED, anonymous=404, blocked=404, entitled=OPEN, **OFFICE),
    "paid": each(LOCKED, anonymous=404, blocked=404, **OFFICE),
    "draft": each(404, **OFFICE),
}
DECIDED = {
    "public": each(OPEN, blocked=LOCKED),
    "subscribers": each(LOCKED, entitled=OPEN, **OFFICE),
    "draft": each(LOCKED, **OFFICE),
}
TAKES_PART = {
    # Their office lets staff look; to take part they need what anybody needs.
    "public": each(200, anonymous=401, blocked=404),
    "subscribers": each(402, anonymous=401, blocked=404, entitled=200, owner=200),
    "draft": each(404, anonymous=401, owner=409),
}
TAKES_BACK = {
    # A like can be taken back when the right to give it has ended.
    **TAKES_PART,
    "subscribers": each(200, anonymous=401, blocked=404),
}
READS_COMMENTS = {
    "public": each(200, blocked=404),
    "subscribers": each(
        402, anonymous=404, blocked=404, entitled=200, owner=200, moderator=200, admin=200
    ),
    "draft": each(404, owner=200, moderator=200, admin=200),
}
OWN = each(404, anonymous=401, owner=200)
FOLLOWING = each(ABSENT, anonymous=401, entitled=SHOWN, follower=SHOWN)
LISTED = {
    "public": each(SHOWN, blocked=404),
    "subscribers": each(SHOWN, anonymous=ABSENT, blocked=404),
    "draft": each(ABSENT, blocked=404),
}


def post_of(label: str, **columns: Any) -> Callable[[Stage], Post]:
    """Carries a video with secrets of its own."""

    def make(stage: Stage) -> Post:
        video = stage.publish.video(stage.owner)
        state = {"state": "draft"} if label == "draft" else {}
        audience = "subscribers" if label == "draft" else label
        values = {"audience": audience, "body": SECRET_TEXT, **state, **columns}
        return write_post(stage.engine, stage.owner, media=[video], **values)

    return make


def rows(
    operation: str, call: Call, expected: dict[str, dict[str, Outcome]], **row: Any
) -> list[Row[Any]]:
    """One row for each kind of post that `expected` names."""
    return [
        Row(operation, call, said, post_of(label), label=label, **row)
        for label, said in expected.items()
    ]


def own_row(
    operation: str, method: str, path: str, status: int = 200, body: Any = None, **columns: Any
) -> Row[Any]:
    """Only the author may; for others there is no such post, however open it is to read."""

    def call(case: Case[Post]) -> httpx.Response:
        url = f"{POSTS}/{case.subject.id}{path}"
        return case.client.request(method, url, json=body, headers={"if-match": "*"})

    said = OWN | {"owner": status}
    return Row(operation, call, said, post_of("public", **columns), changes=True)


def on_post(method: str, path: str = "", body: Any = None) -> Call:
    return lambda case: case.client.request(method, f"{POSTS}/{case.subject.id}{path}", json=body)


def seen(answer: httpx.Response, subject: Post) -> Outcome:
    if answer.status_code != 200:
        return answer.status_code
    assert answer.json()["id"] == subject.id
    return OPEN if answer.json()["access"]["allowed"] else LOCKED


def decided(answer: httpx.Response, subject: Post) -> Outcome:
    [access] = answer.json()["data"]
    assert access["post_id"] == subject.id
    return OPEN if access["allowed"] else LOCKED


def listed(answer: httpx.Response, subject: Post) -> Outcome:
    if answer.status_code != 200:
        return answer.status_code
    return SHOWN if subject.id in answer.text else ABSENT


def create(case: Case[None]) -> httpx.Response:
    return case.client.post(POSTS, json={"body": "Hello", "state": "published"})


def decide(case: Case[Post]) -> httpx.Response:
    return case.client.post(f"{POSTS}:batchAccess", json={"post_ids": [case.subject.id]})


def batch_delete(case: Case[Post]) -> httpx.Response:
    return case.client.post(f"{POSTS}:batchDelete", json={"post_ids": [case.subject.id]})


def of_one(answer: httpx.Response, subject: Post) -> Outcome:
    """What came of the only one that was asked for."""
    if answer.status_code != 200:
        return answer.status_code
    [result] = answer.json()["data"]
    assert result["id"] == subject.id
    return int(result["status"])


# --- by staff ----------------------------------------------------------------------------------


def taken_down(stage: Stage) -> Post:
    """A post for everybody, but for staff's verdict."""
    return post_of("public", state="taken_down")(stage)


def judge(verdict: str) -> Call:
    return lambda case: case.client.post(
        f"{API}/admin/posts/{case.subject.id}/{verdict}", json={"reason": "Rule 3."}
    )


STAFF_ONLY = each(403, anonymous=401, moderator=200, admin=200)


# --- comments ----------------------------------------------------------------------------------


def comment_of(who: str) -> Callable[[Stage], Comment]:
    """On a post for subscribers, by one of the walk's people."""

    def make(stage: Stage) -> Comment:
        author = getattr(stage.people, who).user
        post = post_of("subscribers", comment_count=1)(stage)
        comment = Comment(id=new_id(), post_id=post.id, author_id=author.id, body=SECRET_TEXT)
        with transaction(stage.engine) as session:
            session.add(comment)
        return comment

    return make


def edit_comment(case: Case[Comment]) -> httpx.Response:
    return case.client.patch(
        f"{API}/comments/{case.subject.id}", json={"body": "mine"}, headers={"if-match": "*"}
    )


def delete_comment(case: Case[Comment]) -> httpx.Response:
    return case.client.delete(f"{API}/comments/{case.subject.id}")


SOON = {"publish_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
BY_SUBSCRIBER = {
    "edit": each(404, anonymous=401, entitled=200, owner=403, moderator=403, admin=403),
    "delete": each(404, anonymous=401, entitled=204, owner=204, moderator=204, admin=204),
}
BY_OWNER = each(404, anonymous=401, entitled=403, owner=204, moderator=204, admin=204)

ROWS: list[Row[Any]] = [
    Row("createPost", create, each(403, anonymous=401, other_creator=201, owner=201)),
    *rows("getPost", on_post("GET"), SEEN, outcome=seen),
    *rows("batchPostAccess", decide, DECIDED, outcome=decided),
    own_row("editPost", "PATCH", "", body={"body": "Mine"}),
    own_row("deletePost", "DELETE", "", 204),
    Row(
        "batchDeletePosts",
        batch_delete,
        OWN | {"owner": 204},
        post_of("public"),
        outcome=of_one,
        changes=True,
    ),
    Row("takeDownPost", judge("take-down"), STAFF_ONLY, post_of("public"), changes=True),
    Row("restorePost", judge("restore"), STAFF_ONLY, taken_down, changes=True),
    Row("getPost", on_post("GET"), SEEN["draft"], taken_down, label="taken down", outcome=seen),
    own_row("publishPost", "POST", "/publish", state="draft"),
    own_row("schedulePost", "PUT", "/schedule", body=SOON, state="draft"),
    own_row("unschedulePost", "DELETE", "/schedule", state="draft"),
    own_row("pinPost", "PUT", "/pin"),
    own_row("unpinPost", "DELETE", "/pin"),
    *rows("likePost", on_post("PUT", "/like"), TAKES_PART),
    *rows("unlikePost", on_post("DELETE", "/like"), TAKES_BACK),
    *rows("listComments", on_post("GET", "/comments"), READS_COMMENTS),
    *rows(
        "createComment",
        on_post("POST", "/comments", {"body": "Nice"}),
        {
            label: {who: 201 if said == 200 else said for who, said in expected.items()}
            for label, expected in TAKES_PART.items()
        },
    ),
    Row("editComment", edit_comment, BY_SUBSCRIBER["edit"], comment_of("entitled")),
    Row(
        "deleteComment",
        delete_comment,
        BY_SUBSCRIBER["delete"],
        comment_of("entitled"),
        changes=True,
    ),
    Row(
        "deleteComment",
        delete_comment,
        BY_OWNER,
        comment_of("owner"),
        label="of the owner",
        changes=True,
    ),
    Row(
        "getFeed",
        lambda case: case.client.get(f"{API}/feed"),
        FOLLOWING,
        post_of("subscribers"),
        outcome=listed,
    ),
    *[
        Row(
            "listCreatorPosts",
            lambda case: case.client.get(f"{API}/creators/{case.subject.creator_id}/posts"),
            said,
            post_of(label),
            label=label,
            outcome=listed,
        )
        for label, said in LISTED.items()
    ],
    Row(
        "listMyPosts",
        lambda case: case.client.get(f"{API}/me/posts"),
        each(ABSENT, anonymous=401, owner=SHOWN),
        post_of("draft"),
        outcome=listed,
    ),
]
