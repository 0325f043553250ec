"""Rows of media: uploads, media, playback and delivery."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx2 as httpx

from domain.media.links import Ticket, TicketUse, seal_ticket
from infra.models import Media
from tests.e2e.api.uploading import MIB, UPLOADS, announce
from tests.e2e.api.walk.rows import (
    ABSENT,
    LOCKED,
    OPEN,
    SHOWN,
    Case,
    Outcome,
    Row,
    Stage,
    each,
)

MEDIA = "/api/v1/media"
Upload = dict[str, Any]
Call = Callable[[Case[Media]], httpx.Response]
Making = Callable[[Stage], Media]

OWNER_ONLY = {
    "gated": each(403, anonymous=401, blocked=404, owner=200),
    "private": each(404, anonymous=401, owner=200, moderator=403, admin=403),
}
MANAGED = {
    "gated": each(403, anonymous=401, blocked=404, owner=202, moderator=202, admin=202),
    "private": each(404, anonymous=401, owner=202, moderator=202, admin=202),
}
FOLLOWED = {
    "gated": each(403, anonymous=401, blocked=404, owner=200, moderator=200, admin=200),
    "private": each(404, anonymous=401, owner=200, moderator=200, admin=200),
}
SEEN = {
    "public": each(OPEN, blocked=404),
    "gated": each(
        LOCKED, anonymous=404, entitled=OPEN, blocked=404, owner=OPEN, moderator=OPEN, admin=OPEN
    ),
    "private": each(404, owner=OPEN, moderator=OPEN, admin=OPEN),
}
DECIDED = {
    "public": each(OPEN, blocked=LOCKED),
    "gated": each(LOCKED, entitled=OPEN, owner=OPEN, moderator=OPEN, admin=OPEN),
    "private": each(LOCKED, owner=OPEN, moderator=OPEN, admin=OPEN),
}
PLAYED = {
    "public": each(200, blocked=404),
    "gated": each(
        402, anonymous=404, entitled=200, blocked=404, owner=200, moderator=200, admin=200
    ),
    "private": each(404, owner=200, moderator=200, admin=200),
}


def video(visibility: str, **columns: Any) -> Making:
    return lambda stage: stage.publish.video(stage.owner, visibility=visibility, **columns)


def media_rows(
    operation: str,
    call: Call,
    expected: dict[str, dict[str, Outcome]],
    *,
    columns: dict[str, Any] | None = None,
    **row: Any,
) -> list[Row[Any]]:
    """One row for each visibility that `expected` names."""
    return [
        Row(operation, call, said, video(label, **(columns or {})), label=label, **row)
        for label, said in expected.items()
    ]


def get(path: str = "") -> Call:
    return lambda case: case.client.get(f"{MEDIA}/{case.subject.id}{path}")


def post(path: str) -> Call:
    return lambda case: case.client.post(f"{MEDIA}/{case.subject.id}{path}")


def by_ticket(path: str, use: TicketUse) -> Call:
    """As if the viewer had been let through once: with a genuine ticket of their own."""

    def call(case: Case[Media]) -> httpx.Response:
        ticket = Ticket(
            media_id=case.subject.id,
            generation=1,
            viewer_id=case.viewer.id if case.viewer else None,
            use=use,
            expires_at=int(time.time()) + 60,
            session_id=case.person.session.id if case.person else None,
        )
        token = seal_ticket(ticket, key=case.settings.url_signing_key_bytes)
        return get(f"{path}?token={token}")(case)

    return call


def edit(case: Case[Media]) -> httpx.Response:
    url = f"{MEDIA}/{case.subject.id}"
    return case.client.patch(url, json={"title": "mine"}, headers={"if-match": "*"})


def decide(case: Case[Media]) -> httpx.Response:
    return case.client.post(f"{MEDIA}:batchAccess", json={"media_ids": [case.subject.id]})


def seen(answer: httpx.Response, subject: Media) -> Outcome:
    del subject
    if answer.status_code != 200:
        return answer.status_code
    return OPEN if answer.json()["access"]["allowed"] else LOCKED


def decided(answer: httpx.Response, subject: Media) -> Outcome:
    if answer.status_code != 200:
        return answer.status_code
    [access] = answer.json()["data"]
    assert access["media_id"] == subject.id
    return OPEN if access["allowed"] else LOCKED


def batch(operation: str, **wish: Any) -> Call:
    return lambda case: case.client.post(
        f"{MEDIA}:{operation}", json={"media_ids": [case.subject.id], **wish}
    )


def of_one(answer: httpx.Response, subject: Media) -> Outcome:
    """The status that the batch gives for the subject."""
    if answer.status_code != 200:
        return answer.status_code
    [result] = answer.json()["data"]
    assert result["id"] == subject.id
    return int(result["status"])


def listed(answer: httpx.Response, subject: Media) -> Outcome:
    if answer.status_code != 200:
        return answer.status_code
    return SHOWN if subject.id in answer.text else ABSENT


# --- uploads -----------------------------------------------------------------------------------


def create_upload(case: Case[None]) -> httpx.Response:
    wish = {"file_name": "a.jpg", "size_bytes": 10, "content_type": "image/jpeg"}
    return case.client.post(UPLOADS, json=wish)


def open_upload(stage: Stage) -> Upload:
    """No bytes are sent: whoever is let through to complete it hears that they are missing."""
    return announce(stage.client_of(stage.people.owner), size_bytes=20 * MIB)


def upload_row(operation: str, method: str, path: str, status: int, body: Any = None) -> Row[Any]:
    def call(case: Case[Upload]) -> httpx.Response:
        return case.client.request(method, f"{UPLOADS}/{case.subject['id']}{path}", json=body)

    return Row(operation, call, each(404, anonymous=401, owner=status), open_upload)


HLS = "/hls"
RELEASED = each(404, anonymous=401, owner=403, moderator=204, admin=204)
UPLOAD_CREATED = each(403, anonymous=401, other_creator=201, owner=201)

ROWS: list[Row[Any]] = [
    Row("createUpload", create_upload, UPLOAD_CREATED),
    upload_row("getUpload", "GET", "", 200),
    upload_row("signUploadParts", "POST", "/parts", 200, {"numbers": [1]}),
    upload_row("listUploadParts", "GET", "/parts", 200),
    upload_row("completeUpload", "POST", "/complete", 409),
    upload_row("abortUpload", "DELETE", "", 204),
    Row(
        "listMedia",
        lambda case: case.client.get(MEDIA),
        each(ABSENT, anonymous=401, owner=SHOWN),
        video("public"),
        outcome=listed,
    ),
    *media_rows("getMedia", get(), SEEN, outcome=seen),
    *media_rows("editMedia", edit, OWNER_ONLY),
    *media_rows(
        "deleteMedia",
        lambda case: case.client.delete(f"{MEDIA}/{case.subject.id}"),
        MANAGED,
        changes=True,
    ),
    *media_rows("reprocessMedia", post("/reprocess"), MANAGED, changes=True),
    *media_rows("retryRendition", post("/renditions/360p/retry"), MANAGED, changes=True),
    *media_rows(
        "cancelProcessing",
        post("/cancel"),
        MANAGED,
        changes=True,
        columns={"state": "playable", "generation": 2},
    ),
    *media_rows(
        "releaseMedia",
        post("/release"),
        {"gated": RELEASED},
        changes=True,
        columns={"state": "held"},
    ),
    *media_rows("followMedia", get("/events"), FOLLOWED),
    *media_rows("startPlayback", post("/playback"), PLAYED),
    *media_rows("batchDeleteMedia", batch("batchDelete"), MANAGED, outcome=of_one, changes=True),
    *media_rows(
        "batchEditMedia", batch("batchEdit", visibility="private"), OWNER_ONLY, outcome=of_one
    ),
    *media_rows("batchAccess", decide, DECIDED, outcome=decided),
    *media_rows("getMasterPlaylist", by_ticket(f"{HLS}/master.m3u8", TicketUse.START), PLAYED),
    *media_rows("getRenditionPlaylist", by_ticket(f"{HLS}/360p.m3u8", TicketUse.SESSION), PLAYED),
    *media_rows("getSegmentKey", by_ticket(f"{HLS}/key", TicketUse.SESSION), PLAYED),
    *media_rows("getStoryboard", by_ticket("/storyboard.vtt", TicketUse.START), PLAYED),
]
