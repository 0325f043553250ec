"""What a client does to send a file."""

from __future__ import annotations

import os
from typing import Any

import httpx2 as httpx

MIB = 1024 * 1024
PART = 5 * MIB
"""S3's smallest part that is not the last."""
UPLOADS = "/api/v1/uploads"
SMALL_PARTS = {
    "upload_single_put_bytes_max": PART,
    "upload_part_bytes_min": PART,
    "upload_part_bytes_max": PART,
}
"""Settings under which a test's file needs several parts."""

Json = dict[str, Any]


def announce(client: httpx.Client, **wish: Any) -> Json:
    values = {"file_name": "photo.jpg", "size_bytes": 1000, "content_type": "image/jpeg"}
    answer = client.post(UPLOADS, json=values | wish)
    assert answer.status_code == 201, answer.text
    body: Json = answer.json()
    assert answer.headers["location"] == f"{UPLOADS}/{body['id']}"
    return body


def put(signed: Json, content: bytes) -> httpx.Response:
    """Send bytes to a signed address with the headers that were signed, as far as the client
    may choose them: the length is that of `content`."""
    headers = {name: value for name, value in signed["headers"].items() if name != "content-length"}
    return httpx.put(
        signed["url"],
        headers=headers,
        content=content,
        timeout=30,
        verify=False,
        trust_env=False,
    )


def send_parts(upload: Json, content: bytes, *, skip: tuple[int, ...] = ()) -> None:
    for part in upload["parts"]:
        if part["number"] not in skip:
            start = (part["number"] - 1) * upload["part_bytes"]
            answer = put(part, content[start : start + part["size_bytes"]])
            assert answer.status_code == 200, answer.text


def large_file(parts: int = 2) -> bytes:
    """Random bytes that need that many parts under `SMALL_PARTS`; the last is short."""
    return os.urandom(PART * (parts - 1) + 1234)


def announce_large(client: httpx.Client, content: bytes, **wish: Any) -> Json:
    return announce(
        client,
        file_name="clip.mp4",
        content_type="video/mp4",
        size_bytes=len(content),
        **wish,
    )


def complete(client: httpx.Client, upload: Json, body: Json | None = None) -> httpx.Response:
    return client.post(f"{UPLOADS}/{upload['id']}/complete", json=body)
