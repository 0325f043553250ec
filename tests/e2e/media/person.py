"""Somebody who uses the API: uploads, waits, watches."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx

from domain.media.states import MediaState

Json = dict[str, Any]
API = "/api/v1"
SETTLE_SECONDS = 150


@dataclass(frozen=True)
class SourceFile:
    """A file as its uploader announces it."""

    name: str
    content: bytes
    content_type: str


@dataclass
class Person:
    """Sync, so that a test reads from top to bottom."""

    id: str
    handle: str
    http: httpx.Client

    def call(self, method: str, path: str, *, status: int | None = None, **body: Any) -> Any:
        """One call; its JSON. Any answer from 400 on fails the test, unless it is `status`."""
        answer = self.http.request(method, API + path, json=body or None)
        expected = answer.status_code == status if status else answer.status_code < 400
        assert expected, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    # --- uploads -------------------------------------------------------------------------

    def send(self, file: SourceFile, **wish: Any) -> Json:
        """Announce the file and bring it to storage; the upload is still open."""
        announced: Json = {
            "file_name": file.name,
            "size_bytes": len(file.content),
            "content_type": file.content_type,
            "sha256": hashlib.sha256(file.content).hexdigest(),
            "visibility": "gated",
            "watermark": False,
        }
        wanted = {key: value for key, value in (announced | wish).items() if value is not None}
        upload: Json = self.call("POST", "/uploads", **wanted)
        if upload["method"] == "put":
            _put(upload["put"], file.content)
        for part in upload["parts"]:
            start = (part["number"] - 1) * upload["part_bytes"]
            _put(part, file.content[start : start + part["size_bytes"]])
        return upload

    def complete(self, upload: Json) -> str:
        self.call("POST", f"/uploads/{upload['id']}/complete")
        return str(upload["media_id"])

    def upload(self, file: SourceFile, **wish: Any) -> str:
        """Send and complete; ingest runs from here on. Returns the media's id."""
        return self.complete(self.send(file, **wish))

    # --- media ---------------------------------------------------------------------------

    def media(self, media_id: str) -> Json:
        body: Json = self.call("GET", f"/media/{media_id}")
        return body

    def until(
        self, media_id: str, condition: Callable[[Json], bool], *, seconds: float = SETTLE_SECONDS
    ) -> Json:
        """Look at the media until the condition holds; a final state that doesn't fit fails."""
        deadline = time.monotonic() + seconds
        while True:
            body = self.media(media_id)
            if condition(body):
                return body
            assert time.monotonic() < deadline, f"still {body['state']}: {body.get('manage')}"
            time.sleep(0.1)

    def settle(self, media_id: str) -> Json:
        """Wait until ingest is over; returns the media."""
        return self.until(media_id, lambda body: MediaState(body["state"]).is_final)

    def ready(self, media_id: str) -> Json:
        body = self.settle(media_id)
        assert body["state"] == "ready", body
        return body

    def playback(self, media_id: str) -> Json:
        body: Json = self.call("POST", f"/media/{media_id}/playback")
        return body

    def events(self, media_id: str) -> Iterator[Json]:
        """Progress as an app follows it, until the media is final."""
        with self.http.stream("GET", f"{API}/media/{media_id}/events", timeout=120) as answer:
            assert answer.status_code == 200
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    event: Json = json.loads(line[5:])
                    yield event


def _put(signed: Json, content: bytes) -> None:
    answer = httpx.put(
        signed["url"],
        headers=signed["headers"],
        content=content,
        timeout=60,
        verify=False,
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text


def fetch(url: str) -> httpx.Response:
    """Any address that an answer named, without a token: it must carry its own."""
    return httpx.get(url, timeout=60, verify=False, trust_env=False)


def fetched(url: str) -> bytes:
    answer = fetch(url)
    assert answer.status_code == 200, f"{url}: {answer.status_code}"
    return answer.content
