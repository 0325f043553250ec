"""Uploads by signed requests: whole, in parts, resumed, faulty, repeated, abandoned."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from domain.errors import Invalid, Unavailable
from infra.settings import Settings
from infra.storage import ArrivedPart, NoSuchUpload, SignedRequest, Storage
from infra.storage.storage import LIST_PAGE
from tests.integration.storage.faulty import (
    COMPLETED,
    ERROR_IN_OK,
    NO_SUCH_UPLOAD,
    ScriptedStore,
)

PART_BYTES = 5 * 1024 * 1024
"""S3's smallest part that is not the last."""


def send(request: SignedRequest, body: bytes, **headers: str) -> int:
    """Act as a client: send what was signed, with `headers` in place of some of it."""
    sent = {**request.headers, **headers}
    sent.pop("content-length", None)
    sent.setdefault("content-type", "application/octet-stream")
    try:
        with urlopen(
            Request(request.url, data=body, method=request.method, headers=sent), timeout=20
        ) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


def test_a_single_put_arrives_as_announced(storage: Storage, key: str) -> None:
    body = os.urandom(1000)
    request = storage.presign_put(
        key,
        content_type="image/png",
        size_bytes=1000,
        sha256=hashlib.sha256(body).hexdigest(),
    )
    assert send(request, body) == 200
    stored = storage.head(storage.quarantine, key)
    assert stored is not None
    assert (stored.bytes, stored.content_type) == (1000, "image/png")
    assert storage.read(storage.quarantine, key) == body


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"x" * 11, {}),
        (b"x" * 9, {}),
        (b"y" * 10, {}),
        (b"x" * 10, {"content-type": "text/html"}),
        (b"x" * 10, {"x-amz-checksum-sha256": "AAAA"}),
    ],
    ids=["longer", "shorter", "other bytes", "other type", "other hash"],
)
def test_the_store_refuses_a_put_that_differs_from_what_was_signed(
    storage: Storage, key: str, body: bytes, headers: dict[str, str]
) -> None:
    request = storage.presign_put(
        key,
        content_type="image/png",
        size_bytes=10,
        sha256=hashlib.sha256(b"x" * 10).hexdigest(),
    )
    assert send(request, body, **headers) in (400, 403)
    assert storage.head(storage.quarantine, key) is None


def test_a_link_can_not_be_used_for_another_object(storage: Storage, key: str) -> None:
    request = storage.presign_put(key, content_type="image/png", size_bytes=3)
    moved = SignedRequest(
        request.method, request.url.replace("/original", "/other"), request.headers
    )
    assert send(moved, b"abc") == 403


def upload_parts(storage: Storage, key: str, bodies: dict[int, bytes]) -> str:
    multipart_id = storage.create_multipart(key, "video/mp4")
    requests = storage.presign_parts(
        key, multipart_id, {number: len(body) for number, body in bodies.items()}
    )
    for number, body in bodies.items():
        assert send(requests[number], body) == 200
    return multipart_id


def test_parts_are_listed_joined_and_joined_again_with_the_same_answer(
    storage: Storage, key: str
) -> None:
    bodies = {1: os.urandom(PART_BYTES), 2: os.urandom(PART_BYTES), 3: b"the tail"}
    multipart_id = upload_parts(storage, key, bodies)
    parts = storage.list_parts(key, multipart_id)
    assert [(part.number, part.bytes) for part in parts] == [
        (number, len(body)) for number, body in bodies.items()
    ]
    assert [part.etag for part in parts] == [
        hashlib.md5(body).hexdigest() for body in bodies.values()
    ]
    stored = storage.complete_multipart(key, multipart_id, reversed(parts))
    assert stored.bytes == sum(map(len, bodies.values()))
    assert storage.complete_multipart(key, multipart_id, parts) == stored
    assert storage.read(storage.quarantine, key) == b"".join(bodies.values())


def test_more_parts_than_storage_tells_of_at_once_are_all_listed(
    storage: Storage, key: str
) -> None:
    numbers = range(1, LIST_PAGE + 4)
    multipart_id = storage.create_multipart(key, "video/mp4")
    requests = storage.presign_parts(key, multipart_id, dict.fromkeys(numbers, 1))
    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(lambda number: send(requests[number], b"x"), numbers))
    assert set(sent) == {200}
    listed = storage.list_parts(key, multipart_id)
    storage.abort_multipart(key, multipart_id)
    assert [(part.number, part.bytes) for part in listed] == [(number, 1) for number in numbers]


def test_an_upload_with_a_missing_part_stays_open_and_can_be_mended(
    storage: Storage, key: str
) -> None:
    first, second, last = os.urandom(PART_BYTES), os.urandom(PART_BYTES), b"tail"
    multipart_id = upload_parts(storage, key, {1: first, 3: last})
    arrived = storage.list_parts(key, multipart_id)
    assert [part.number for part in arrived] == [1, 3]
    claimed = ArrivedPart(2, len(second), hashlib.md5(second).hexdigest())
    with pytest.raises(Invalid) as refusal:
        storage.complete_multipart(key, multipart_id, [*arrived, claimed])
    assert refusal.value.code == "invalid_part"
    assert storage.head(storage.quarantine, key) is None

    again = storage.presign_part(key, multipart_id, 2, size_bytes=len(second))
    assert send(again, second) == 200
    stored = storage.complete_multipart(key, multipart_id, storage.list_parts(key, multipart_id))
    assert storage.read(storage.quarantine, key) == first + second + last
    assert stored.bytes == 2 * PART_BYTES + 4


def test_a_part_with_another_etag_is_refused(storage: Storage, key: str) -> None:
    multipart_id = upload_parts(storage, key, {1: b"one"})
    wrong = ArrivedPart(1, 3, hashlib.md5(b"two").hexdigest())
    with pytest.raises(Invalid) as refusal:
        storage.complete_multipart(key, multipart_id, [wrong])
    assert refusal.value.code == "invalid_part"


def test_a_part_too_small_to_be_joined_is_refused(storage: Storage, key: str) -> None:
    multipart_id = upload_parts(storage, key, {1: b"one", 2: b"two"})
    with pytest.raises(Invalid) as refusal:
        storage.complete_multipart(key, multipart_id, storage.list_parts(key, multipart_id))
    assert refusal.value.code == "part_too_small"


def test_a_part_of_another_length_than_signed_is_refused(storage: Storage, key: str) -> None:
    multipart_id = storage.create_multipart(key, "video/mp4")
    request = storage.presign_part(key, multipart_id, 1, size_bytes=4)
    assert send(request, b"12345") == 403
    assert storage.list_parts(key, multipart_id) == ()


def test_an_aborted_upload_is_gone_and_may_be_aborted_again(storage: Storage, key: str) -> None:
    multipart_id = upload_parts(storage, key, {1: b"one"})
    storage.abort_multipart(key, multipart_id)
    storage.abort_multipart(key, multipart_id)
    with pytest.raises(NoSuchUpload):
        storage.list_parts(key, multipart_id)
    with pytest.raises(NoSuchUpload):
        storage.complete_multipart(
            key, multipart_id, [ArrivedPart(1, 3, hashlib.md5(b"one").hexdigest())]
        )


def test_only_uploads_that_are_old_enough_are_stale(storage: Storage, key: str) -> None:
    multipart_id = storage.create_multipart(key, "video/mp4")
    now = datetime.now(UTC)
    later = storage.list_stale_multiparts(before=now + timedelta(minutes=5))
    assert (key, multipart_id) in {(each.key, each.multipart_id) for each in later}
    earlier = storage.list_stale_multiparts(before=now - timedelta(hours=1))
    assert key not in {each.key for each in earlier}


@pytest.mark.parametrize(
    "completions",
    [
        [ERROR_IN_OK, COMPLETED],
        [ERROR_IN_OK, NO_SUCH_UPLOAD],
        [NO_SUCH_UPLOAD],
        [(500, b""), COMPLETED],
    ],
    ids=["200 with an error, then done", "... then already done", "already done", "500, then done"],
)
def test_complete_finds_out_what_became_of_it(
    settings: Settings, completions: list[tuple[int, bytes]]
) -> None:
    with ScriptedStore(completions, has_object=True).running() as store:
        scripted = Storage(settings.model_copy(update={"s3_endpoint": store.address}))
        stored = scripted.complete_multipart("k", "u", [ArrivedPart(1, 7, "abc")])
        scripted.close()
    assert (stored.bytes, stored.etag) == (7, "abc-1")
    assert store.asked.count("complete") == len(completions)


def test_an_error_inside_a_200_is_no_success(settings: Settings) -> None:
    with ScriptedStore([ERROR_IN_OK], has_object=False).running() as store:
        scripted = Storage(settings.model_copy(update={"s3_endpoint": store.address}))
        with pytest.raises(Unavailable) as failure:
            scripted.complete_multipart("k", "u", [ArrivedPart(1, 7, "abc")])
        scripted.close()
    assert failure.value.facts["storage_code"] == "InternalError"
    assert store.asked.count("complete") > 1


def test_an_unknown_upload_without_an_object_is_an_error(settings: Settings) -> None:
    with ScriptedStore([NO_SUCH_UPLOAD], has_object=False).running() as store:
        scripted = Storage(settings.model_copy(update={"s3_endpoint": store.address}))
        with pytest.raises(NoSuchUpload):
            scripted.complete_multipart("k", "u", [ArrivedPart(1, 7, "abc")])
        scripted.close()
    assert store.asked == ["complete", "head"]
