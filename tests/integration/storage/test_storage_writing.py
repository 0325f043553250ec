"""Objects written, listed, copied and deleted; buckets, and who may read what."""

from __future__ import annotations

import base64
import threading
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from pydantic import SecretStr

from domain.errors import Conflict, NotFound, Unavailable
from infra.cdn import cdn_token
from infra.settings import Settings
from infra.storage import IMMUTABLE, PutItem, Storage
from infra.storage.storage import DELETE_BATCH

ORIGIN = "https://app.example.com"


def fetch(url: str, *, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers (lower-case names), as a browser would get them."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urlopen(Request(url, method=method, headers=named), timeout=10) as answer:
            found = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, answer.read(), found
    except HTTPError as error:
        with error:
            return error.code, b"", {}


def test_many_objects_are_written_in_order_and_told_in_the_callers_thread(
    storage: Storage, key: str, tmp_path: Path
) -> None:
    in_a_file = tmp_path / "segment"
    in_a_file.write_bytes(b"from a file")
    items = [
        *(PutItem(f"{key}/{at}", b"%d" % at, "video/iso.segment") for at in range(20)),
        PutItem(f"{key}/file", in_a_file, "image/webp", cache_control=IMMUTABLE),
    ]
    told: list[str] = []

    def on_stored(stored: object) -> None:
        assert threading.current_thread() is threading.main_thread()
        told.append(getattr(stored, "key", ""))

    stored = storage.put_many(storage.media, items, on_stored=on_stored)
    assert [each.key for each in stored] == [item.key for item in items]
    assert sorted(told) == sorted(item.key for item in items)
    assert storage.read(storage.media, f"{key}/7") == b"7"
    assert storage.read(storage.media, f"{key}/file") == b"from a file"
    _, _, headers = fetch(storage.presign_get(storage.media, f"{key}/file", ttl_seconds=60))
    assert headers["cache-control"] == IMMUTABLE
    assert headers["content-type"] == "image/webp"


def test_one_of_many_that_fails_fails_them_all(storage: Storage, key: str, tmp_path: Path) -> None:
    items = [
        *(PutItem(f"{key}/{at}", b"x", "text/plain") for at in range(10)),
        PutItem(f"{key}/gone", tmp_path / "not there", "text/plain"),
    ]
    with pytest.raises(FileNotFoundError):
        storage.put_many(storage.media, items)


def test_writing_to_a_store_that_is_down_is_unavailable(settings: Settings, key: str) -> None:
    down = Storage(settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"}))
    with pytest.raises(Unavailable):
        down.put_many(down.media, [PutItem(key, b"x", "text/plain")] * 3)
    down.close()


def test_deleting_takes_what_is_below_a_prefix_and_nothing_beside_it(
    storage: Storage, key: str
) -> None:
    for name in ("1/a", "1/b/c", "10/a"):
        storage.put_bytes(storage.media, f"{key}/{name}", b"x", content_type="text/plain")
    assert storage.delete_prefix(storage.media, f"{key}/1/") == 2
    assert [each.key for each in storage.list_prefix(storage.media, f"{key}/")] == [f"{key}/10/a"]
    assert storage.delete_prefix(storage.media, f"{key}/1/") == 0
    storage.delete(storage.media, f"{key}/1/a")


def test_more_objects_than_storage_tells_of_at_once_are_all_deleted(
    storage: Storage, key: str
) -> None:
    count = DELETE_BATCH + 3
    items = [PutItem(f"{key}/{at:04d}", b"x", "text/plain") for at in range(count)]
    storage.put_many(storage.media, items)
    listed = [each.key for each in storage.list_prefix(storage.media, f"{key}/")]
    assert listed == [item.key for item in items]
    assert storage.delete_prefix(storage.media, f"{key}/") == count
    assert list(storage.list_prefix(storage.media, f"{key}/")) == []


@pytest.mark.parametrize("prefix", ["", "/", "m/019"])
def test_a_prefix_that_may_take_too_much_is_refused(storage: Storage, prefix: str) -> None:
    with pytest.raises(ValueError, match="not a prefix"):
        storage.delete_prefix(storage.media, prefix)


def test_a_copy_has_the_bytes_and_type_of_its_source(storage: Storage, key: str) -> None:
    storage.put_bytes(storage.quarantine, key, b"original", content_type="image/png")
    storage.copy(
        source_bucket=storage.quarantine,
        source_key=key,
        target_bucket=storage.media,
        target_key=f"{key}/copy",
    )
    copied = storage.get(storage.media, f"{key}/copy")
    assert (copied.bytes, copied.content_type) == (8, "image/png")
    with pytest.raises(NotFound):
        storage.copy(
            source_bucket=storage.quarantine,
            source_key=f"{key}/none",
            target_bucket=storage.media,
            target_key=key,
        )


def test_only_the_public_bucket_can_be_read_without_a_signature(
    storage: Storage, settings: Settings, key: str
) -> None:
    storage.put_bytes(storage.public, key, b"blurred", content_type="image/webp")
    assert fetch(storage.public_url(key))[:2] == (200, b"blurred")
    for bucket in (storage.quarantine, storage.media):
        storage.put_bytes(bucket, key, b"not for you", content_type="image/webp")
        assert fetch(f"{settings.s3_endpoint}/{bucket}/{key}")[0] == 403
    assert fetch(storage.public_url(key), method="DELETE")[0] == 403


def test_a_signed_link_opens_one_object_with_the_headers_that_it_names(
    storage: Storage, key: str
) -> None:
    storage.put_bytes(storage.media, key, b"a picture", content_type="image/png")
    url = storage.presign_get(
        storage.media,
        key,
        ttl_seconds=60,
        content_type="application/octet-stream",
        download_name="Föto 1.png",
    )
    status, body, headers = fetch(url)
    assert (status, body) == (200, b"a picture")
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"].startswith('attachment; filename="F_to 1.png"')
    assert fetch(url.replace("original", "other"))[0] == 403
    assert fetch(url.replace("F%25C3%25B6to", "Other"))[0] == 403


def test_a_signed_link_can_be_used_for_a_range(storage: Storage, key: str) -> None:
    storage.put_bytes(storage.media, key, b"0123456789", content_type="video/mp4")
    url = storage.presign_get(storage.media, key, ttl_seconds=60)
    assert fetch(url, Range="bytes=2-5")[:2] == (206, b"2345")


def test_a_browser_may_send_parts_and_see_their_etags(settings: Settings, key: str) -> None:
    """Buckets are made with rules for our origins, and may be made again."""
    opened = Storage(settings.model_copy(update={"cors_origins": (ORIGIN,)}))
    opened.ensure_buckets()
    opened.ensure_buckets()
    opened.check()
    request = opened.presign_put(key, content_type="image/png", size_bytes=3)
    status, _, headers = fetch(
        request.url,
        method="OPTIONS",
        Origin=ORIGIN,
        Access_Control_Request_Method="PUT",
        Access_Control_Request_Headers="content-type",
    )
    assert status == 200
    assert headers["access-control-allow-origin"] == ORIGIN
    opened.put_bytes(opened.media, key, b"segment", content_type="video/iso.segment")
    url = opened.presign_get(opened.media, key, ttl_seconds=60)
    _, _, headers = fetch(url, Origin=ORIGIN)
    assert "etag" in headers["access-control-expose-headers"].lower()
    assert "access-control-allow-origin" not in fetch(url, Origin="https://evil.example")[2]
    opened.close()


def test_a_bucket_that_is_not_ours_stops_the_start(settings: Settings) -> None:
    opened = Storage(settings.model_copy(update={"s3_access_key_id": "somebody-else"}))
    with pytest.raises((Conflict, Unavailable)):
        opened.ensure_buckets()
    opened.close()


def test_behind_a_cdn_links_carry_its_token(settings: Settings) -> None:
    signing_key = b"c" * 32
    changed = {
        "cdn_base_url": "https://cdn.example.com/media/",
        "cdn_signing_key": SecretStr(base64.b64encode(signing_key).decode()),
        "s3_public_endpoint": "https://s3.example.com",
    }
    opened = Storage(settings.model_copy(update=changed))
    url = opened.presign_get(opened.media, "m/1/2/ü.m4s", ttl_seconds=60)
    address, _, query = url.partition("?")
    assert address == "https://cdn.example.com/media/m/1/2/%C3%BC.m4s"
    fields = dict(pair.split("=", 1) for pair in query.split("&"))
    token = cdn_token("/media/m/1/2/%C3%BC.m4s", int(fields["expires"]), signing_key=signing_key)
    assert fields["token"] == token
    assert opened.public_url("p/1/2/blur.webp") == "https://cdn.example.com/media/p/1/2/blur.webp"
    # A CDN can't rename a download, and never gets to see an original.
    for bucket, name in ((opened.media, "a.jpg"), (opened.quarantine, None)):
        signed = opened.presign_get(bucket, "k", ttl_seconds=60, download_name=name)
        assert signed.startswith(f"https://s3.example.com/{bucket}/k?")
    opened.close()


def test_clients_get_the_public_endpoint(settings: Settings) -> None:
    opened = Storage(settings.model_copy(update={"s3_public_endpoint": "https://s3.example.com"}))
    assert opened.presign_put("k", content_type="image/png", size_bytes=1).url.startswith(
        f"https://s3.example.com/{opened.quarantine}/k?"
    )
    assert opened.public_url("p/1") == f"https://s3.example.com/{opened.public}/p/1"
    opened.check()
    opened.close()
