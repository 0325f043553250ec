"""What an app does with the API: upload straight to storage, watch, play. For demo and corpus."""

from __future__ import annotations

import asyncio
import hashlib
import json
import mimetypes
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from domain.media.states import MediaState

JsonObject = dict[str, Any]

PUTS_AT_ONCE = 3
RECONNECTS_MAX = 50
RECONNECT_SECONDS = 1.0

_EXTRA_TYPES = {
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".avif": "image/avif",
    ".jxl": "image/jxl",
    ".jp2": "image/jp2",
    ".psd": "image/vnd.adobe.photoshop",
    ".webp": "image/webp",
    ".mkv": "video/x-matroska",
    ".m4b": "audio/mp4",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".flac": "audio/flac",
    ".3gp": "video/3gpp",
}


class Problem(Exception):
    """An `application/problem+json` answer."""

    def __init__(self, status: int, body: JsonObject) -> None:
        super().__init__(f"{status} {body.get('code')}: {body.get('detail')}")
        self.status = status
        self.code = str(body.get("code"))
        self.detail = str(body.get("detail"))
        self.body = body


@dataclass(frozen=True)
class FileToSend:
    """A file as its uploader announces it."""

    name: str
    content: bytes
    content_type: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @classmethod
    def read(cls, path: Path) -> FileToSend:
        return cls(path.name, path.read_bytes(), type_by_name(path.name))


def type_by_name(name: str) -> str:
    """What a browser would announce: by the file's extension alone."""
    guessed, _ = mimetypes.guess_type(name)
    return _EXTRA_TYPES.get(Path(name).suffix.lower(), guessed or "application/octet-stream")


class ApiClient:
    """One person's view of the API."""

    def __init__(self, base_url: str, token: str | None, *, timeout_seconds: float = 60) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._api = httpx2.AsyncClient(
            base_url=f"{base_url}/api/v1", headers=headers, timeout=timeout_seconds, trust_env=False
        )
        self._storage = httpx2.AsyncClient(timeout=300, trust_env=False)

    async def __aenter__(self) -> ApiClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._api.aclose()
        await self._storage.aclose()

    async def call(
        self, method: str, path: str, body: JsonObject | None = None, *, key: str | None = None
    ) -> Any:
        """One call; JSON out.

        Args:
            key: for routes that need an `Idempotency-Key`.

        Raises:
            Problem: any answer from 400 on.
        """
        headers = {"idempotency-key": key} if key else None
        answer = await self._api.request(method, path, json=body, headers=headers)
        if answer.status_code >= 400:
            raise Problem(answer.status_code, answer.json())
        return answer.json() if answer.content else None

    async def upload(self, file: FileToSend, **options: Any) -> str:
        """Announce, send, complete; returns the media's id."""
        wish = {
            "file_name": file.name,
            "size_bytes": len(file.content),
            "content_type": file.content_type,
            "sha256": file.sha256,
            **options,
        }
        upload = await self.call("POST", "/uploads", wish)
        await self.send(upload, file.content)
        await self.call("POST", f"/uploads/{upload['id']}/complete", {})
        return str(upload["media_id"])

    async def send(self, upload: JsonObject, content: bytes) -> None:
        """The bytes of an upload that was announced, straight to storage.

        Raises:
            httpx2.HTTPError: storage does not answer, or not with 2xx.
        """
        if upload["method"] == "put":
            await self._put(upload["put"], content)
        else:
            await self._send_parts(upload, content)

    async def _send_parts(self, upload: JsonObject, content: bytes) -> None:
        window = asyncio.Semaphore(PUTS_AT_ONCE)
        signed = {part["number"]: part for part in upload["parts"]}

        async def send(number: int) -> None:
            async with window:
                if number not in signed:
                    more = await self.call(
                        "POST", f"/uploads/{upload['id']}/parts", {"numbers": [number]}
                    )
                    signed.update({part["number"]: part for part in more["parts"]})
                start = (number - 1) * upload["part_bytes"]
                await self._put(signed[number], content[start : start + upload["part_bytes"]])

        await asyncio.gather(*(send(number + 1) for number in range(upload["part_count"])))

    async def _put(self, signed: JsonObject, content: bytes) -> None:
        answer = await self._storage.put(signed["url"], headers=signed["headers"], content=content)
        answer.raise_for_status()

    async def follow(self, media_id: str) -> AsyncIterator[JsonObject]:
        """Progress until the end; reconnects when the connection or the API goes away."""
        last_id: str | None = None
        for _ in range(RECONNECTS_MAX):
            try:
                async for event_id, data in self._events(media_id, last_id):
                    last_id = event_id or last_id
                    yield data
                    if MediaState(data["state"]).is_final:
                        return
            except httpx2.TransportError:
                await asyncio.sleep(RECONNECT_SECONDS)
        raise TimeoutError(f"media {media_id} came to no end")

    async def _events(
        self, media_id: str, last_id: str | None
    ) -> AsyncIterator[tuple[str | None, JsonObject]]:
        headers = {"last-event-id": last_id} if last_id else {}
        async with self._api.stream("GET", f"/media/{media_id}/events", headers=headers) as answer:
            if answer.status_code >= 400:
                raise Problem(answer.status_code, json.loads(await answer.aread()))
            event_id: str | None = None
            async for line in answer.aiter_lines():
                if line.startswith("id:"):
                    event_id = line[3:].strip()
                elif line.startswith("data:"):
                    yield event_id, json.loads(line[5:])

    async def settle(self, media_id: str) -> JsonObject:
        """Wait for the end; returns the media."""
        async for _ in self.follow(media_id):
            pass
        return await self.media(media_id)

    async def media(self, media_id: str) -> JsonObject:
        answer: JsonObject = await self.call("GET", f"/media/{media_id}")
        return answer

    async def playback(self, media_id: str) -> JsonObject:
        answer: JsonObject = await self.call("POST", f"/media/{media_id}/playback")
        return answer

    async def fetch(self, url: str) -> httpx2.Response:
        """Any address that an answer named, without our token: it must carry its own."""
        return await self._storage.get(url)
