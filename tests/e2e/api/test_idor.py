"""Every route by everybody: who gets what of a media that is not theirs.

The table names each operation of the application. A new route without a row fails the walk.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import pytest
from fastapi.routing import iter_route_contexts

from api.app import create_app
from domain.accounts import Role
from domain.media.links import Ticket, TicketUse, seal_ticket
from infra.models import Media, User
from infra.settings import Settings
from tests.e2e.api.published import Publisher
from tests.e2e.api.uploading import MIB, UPLOADS, announce
from tests.harness.api import RunningApi
from tests.harness.rows import Entitle, MakeUser

MEDIA = "/api/v1/media"
VIEWERS = ("anonymous", "stranger", "entitled", "other creator", "owner", "moderator")
OPEN, LOCKED = "open", "locked"
"""200, and the decision in the answer is this one."""

Expected = tuple[int | str, int | str, int | str, int | str, int | str, int | str]


def each(*statuses: int | str) -> Expected:
    """In the order of `VIEWERS`."""
    assert len(statuses) == len(VIEWERS)
    return statuses  # type: ignore[return-value]  # Its length was looked at.


OWNER_ONLY = each(401, 403, 403, 403, 200, 403), each(401, 404, 404, 404, 200, 403)
MANAGED = each(401, 403, 403, 403, 202, 202), each(401, 404, 404, 404, 202, 202)
PLAYED = each(404, 402, 200, 402, 200, 200), each(404, 404, 404, 404, 200, 200)
DECIDED = (
    each(LOCKED, LOCKED, OPEN, LOCKED, OPEN, OPEN),
    each(LOCKED, LOCKED, LOCKED, LOCKED, OPEN, OPEN),
)
EVERYBODY = (each(*[200] * 6),)


def own_upload(status: int) -> tuple[Expected]:
    return (each(401, 404, 404, 404, status, 404),)


TABLE: dict[str, tuple[Expected, ...]] = {
    # operation: (of a gated media, of a private one), or one for both
    "createUpload": (each(401, 403, 403, 201, 201, 403),),
    "getUpload": own_upload(200),
    "signUploadParts": own_upload(200),
    "listUploadParts": own_upload(200),
    "completeUpload": own_upload(409),
    "abortUpload": own_upload(204),
    "listMedia": (each(401, 200, 200, 200, 200, 200),),
    "getMedia": (
        each(404, LOCKED, OPEN, LOCKED, OPEN, OPEN),
        each(404, 404, 404, 404, OPEN, OPEN),
    ),
    "editMedia": OWNER_ONLY,
    "deleteMedia": MANAGED,
    "reprocessMedia": MANAGED,
    "retryRendition": MANAGED,
    "cancelProcessing": MANAGED,
    "releaseMedia": (each(401, 404, 404, 404, 403, 204),),
    "followMedia": (each(401, 403, 403, 403, 200, 200), each(401, 404, 404, 404, 200, 200)),
    "startPlayback": PLAYED,
    "batchAccess": DECIDED,
    "getMasterPlaylist": PLAYED,
    "getRenditionPlaylist": PLAYED,
    "getSegmentKey": PLAYED,
    "getStoryboard": PLAYED,
    "live": EVERYBODY,
    "ready": EVERYBODY,
    "metrics": EVERYBODY,
}
WITHOUT_OPERATION = {"/openapi.json", "/docs"}
"""The document and its page: the same for everybody."""


@dataclass
class Case:
    """One viewer before one media (or upload) of somebody else's, or of their own."""

    client: httpx.Client
    viewer: User | None
    media: Media
    upload: dict[str, Any] | None
    settings: Settings

    def get(self, path: str) -> httpx.Response:
        return self.client.get(f"{MEDIA}/{self.media.id}{path}")

    def post(self, path: str, body: object = None) -> httpx.Response:
        return self.client.post(f"{MEDIA}/{self.media.id}{path}", json=body)

    def upload_url(self, path: str = "") -> str:
        assert self.upload is not None
        return f"{UPLOADS}/{self.upload['id']}{path}"

    def by_ticket(self, path: str, use: TicketUse) -> httpx.Response:
        """As if the viewer had been let through once: with a genuine ticket of their own."""
        ticket = Ticket(
            media_id=self.media.id,
            generation=1,
            viewer_id=self.viewer.id if self.viewer else None,
            use=use,
            expires_at=int(time.time()) + 60,
        )
        token = seal_ticket(ticket, key=self.settings.url_signing_key_bytes)
        return self.get(f"{path}?token={token}")

    def create(self) -> httpx.Response:
        wish = {"file_name": "a.jpg", "size_bytes": 10, "content_type": "image/jpeg"}
        return self.client.post(UPLOADS, json=wish)

    def edit(self) -> httpx.Response:
        url = f"{MEDIA}/{self.media.id}"
        return self.client.patch(url, json={"title": "mine"}, headers={"if-match": "*"})


CALLS: dict[str, Callable[[Case], httpx.Response]] = {
    "createUpload": Case.create,
    "getUpload": lambda case: case.client.get(case.upload_url()),
    "signUploadParts": lambda case: case.client.post(
        case.upload_url("/parts"), json={"numbers": [1]}
    ),
    "listUploadParts": lambda case: case.client.get(case.upload_url("/parts")),
    "completeUpload": lambda case: case.client.post(case.upload_url("/complete")),
    "abortUpload": lambda case: case.client.delete(case.upload_url()),
    "listMedia": lambda case: case.client.get(MEDIA),
    "getMedia": lambda case: case.get(""),
    "editMedia": Case.edit,
    "deleteMedia": lambda case: case.client.delete(f"{MEDIA}/{case.media.id}"),
    "reprocessMedia": lambda case: case.post("/reprocess"),
    "retryRendition": lambda case: case.post("/renditions/360p/retry"),
    "cancelProcessing": lambda case: case.post("/cancel"),
    "releaseMedia": lambda case: case.post("/release"),
    "followMedia": lambda case: case.get("/events"),
    "startPlayback": lambda case: case.post("/playback"),
    "batchAccess": lambda case: case.client.post(
        f"{MEDIA}:batchAccess", json={"media_ids": [case.media.id]}
    ),
    "getMasterPlaylist": lambda case: case.by_ticket("/hls/master.m3u8", TicketUse.START),
    "getRenditionPlaylist": lambda case: case.by_ticket("/hls/360p.m3u8", TicketUse.SESSION),
    "getSegmentKey": lambda case: case.by_ticket("/hls/key", TicketUse.SESSION),
    "getStoryboard": lambda case: case.by_ticket("/storyboard.vtt", TicketUse.START),
    "live": lambda case: case.client.get("/livez"),
    "ready": lambda case: case.client.get("/readyz"),
    "metrics": lambda case: case.client.get("/metrics"),
}


def test_every_route_has_its_row(settings: Settings) -> None:
    contexts = list(iter_route_contexts(create_app(settings).routes))
    named = {context.operation_id for context in contexts if hasattr(context, "operation_id")}
    operations = {name for name in named if name is not None}
    unnamed = {
        str(context.path) for context in contexts if getattr(context, "operation_id", None) is None
    }
    assert operations == set(TABLE) == set(CALLS)
    assert unnamed == WITHOUT_OPERATION


CASES = [
    pytest.param(operation, visibility, id=f"{operation}-{visibility}")
    for operation, rows in TABLE.items()
    for visibility in ("gated", "private")[: len(rows)]
]
CHANGED_BY_THE_CALL = {
    *("deleteMedia", "reprocessMedia", "retryRendition", "cancelProcessing", "releaseMedia"),
}
"""Each viewer gets a fresh media here, so that one call can't spoil the next."""


@pytest.mark.parametrize(("operation", "visibility"), CASES)
def test_who_gets_what(
    api: RunningApi,
    make_user: MakeUser,
    entitle: Entitle,
    publish: Publisher,
    operation: str,
    visibility: str,
) -> None:
    owner = make_user(role=Role.CREATOR)
    people: dict[str, User | None] = {
        "anonymous": None,
        "stranger": make_user(),
        "entitled": make_user(),
        "other creator": make_user(role=Role.CREATOR),
        "owner": owner,
        "moderator": make_user(role=Role.MODERATOR),
    }
    entitled = people["entitled"]
    assert entitled is not None
    entitle(entitled, creator_id=owner.id)
    expected = TABLE[operation][0 if visibility == "gated" else 1]
    # Bytes are not sent: whoever is let through to complete it hears that they are missing.
    upload = announce(api.client(owner), size_bytes=20 * MIB) if "Upload" in operation else None
    media = _media(publish, owner, operation, visibility)
    got = []
    for viewer in people.values():
        if operation in CHANGED_BY_THE_CALL:
            media = _media(publish, owner, operation, visibility)
        case = Case(api.client(viewer), viewer, media, upload, api.settings)
        answer = CALLS[operation](case)
        got.append(_outcome(operation, answer))
        _leaks_nothing(answer, case)
    assert dict(zip(VIEWERS, got, strict=True)) == dict(zip(VIEWERS, expected, strict=True))


def _media(publish: Publisher, owner: User, operation: str, visibility: str) -> Media:
    if operation == "cancelProcessing":
        return publish.video(owner, visibility=visibility, state="playable", generation=2)
    if operation == "releaseMedia":
        return publish.video(owner, visibility=visibility, state="held")
    return publish.video(owner, visibility=visibility)


def _outcome(operation: str, answer: httpx.Response) -> int | str:
    """The status, or for routes that answer with a decision what it was."""
    if answer.status_code != 200 or operation not in ("getMedia", "batchAccess"):
        return answer.status_code
    body = answer.json()
    access = body["data"][0] if operation == "batchAccess" else body["access"]
    return OPEN if access["allowed"] else LOCKED


def _leaks_nothing(answer: httpx.Response, case: Case) -> None:
    """Neither a refusal nor somebody else's list tells what is behind it."""
    owns = case.viewer is not None and case.viewer.id == case.media.owner_id
    if answer.status_code >= 400:
        assert answer.json()["status"] == answer.status_code
        for secret in ("Only for you", "A secret beach", "photo.jpg", "X-Amz-Signature"):
            assert secret not in answer.text
    if answer.request.url.path == MEDIA and answer.status_code == 200:
        assert (case.media.id in answer.text) is owns
