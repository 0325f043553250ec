"""Playback: decided at each issue, signed, short-lived, and over when the right is."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, update

from domain.accounts import Role
from domain.media.links import Ticket, TicketUse, seal_ticket
from infra.db import transaction
from infra.models import Entitlement, Media, User
from tests.e2e.api.published import KEY, SEGMENTS, Publisher, decrypted
from tests.harness.api import RunningApi, StartApi
from tests.harness.rows import Entitle, MakeMedia, MakeUser

MEDIA = "/api/v1/media"


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


@pytest.fixture
def fan(make_user: MakeUser, creator: User, entitle: Entitle) -> User:
    fan = make_user()
    entitle(fan, creator_id=creator.id)
    return fan


def playback(client: httpx.Client, media: Media) -> dict[str, Any]:
    answer = client.post(f"{MEDIA}/{media.id}/playback")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def key_url(playlist: str, base: str) -> str:
    found = re.search(r'#EXT-X-KEY:METHOD=AES-128,URI="([^"]+)"', playlist)
    assert found is not None
    return urljoin(base, str(found.group(1)))


def test_an_entitled_viewer_plays_without_headers_down_to_the_clear_bytes(
    api: RunningApi, fan: User, creator: User, publish: Publisher
) -> None:
    media = publish.video(creator, stored=True)
    body = playback(api.client(fan), media)
    nobody = api.client()
    master_url = body["hls_url"]
    assert master_url.startswith(api.url)
    master = nobody.get(master_url)
    assert master.headers["content-type"].startswith("application/vnd.apple.mpegurl")
    assert "no-store" in master.headers["cache-control"]
    assert 'CODECS="avc1.64000d,mp4a.40.2",RESOLUTION=640x240,FRAME-RATE=29.970' in master.text
    rungs = lines_of(master.text)
    assert len(rungs) == 2
    rung_url = urljoin(master_url, rungs[0])
    rung = nobody.get(rung_url)
    assert rung.status_code == 200, rung.text
    key = nobody.get(key_url(rung.text, rung_url))
    assert (key.content, key.headers["cache-control"]) == (KEY, "private, no-store")
    ivs = re.findall(r"IV=0x([0-9a-f]{32})", rung.text)
    clear = [
        decrypted(nobody.get(address).content, key=key.content, iv=bytes.fromhex(iv))
        for address, iv in zip(lines_of(rung.text), ivs, strict=True)
    ]
    assert clear == SEGMENTS
    init = re.search(r'#EXT-X-MAP:URI="([^"]+)"', rung.text)
    assert init is not None
    assert nobody.get(init.group(1)).content == b"init"
    audio = re.search(r'#EXT-X-MEDIA:TYPE=AUDIO.*URI="([^"]+)"', master.text)
    assert audio is not None
    assert nobody.get(urljoin(master_url, audio.group(1))).status_code == 200


def test_a_storyboard_is_gated_as_its_media(
    api: RunningApi, fan: User, creator: User, publish: Publisher
) -> None:
    media = publish.video(creator, stored=True)
    url = playback(api.client(fan), media)["storyboard_url"]
    vtt = api.client().get(url)
    assert vtt.text.startswith("WEBVTT")
    sheets = [line for line in vtt.text.splitlines() if "#xywh=" in line]
    assert [sheet.rpartition("#")[2] for sheet in sheets] == [
        "xywh=0,0,160,90",
        "xywh=160,0,160,90",
    ]
    assert api.client().get(sheets[0]).content == b"sheet-0.jpg"
    assert api.client().get(url.partition("?")[0]).status_code == 422


def test_pictures_are_signed_addresses(
    api: RunningApi, fan: User, creator: User, publish: Publisher
) -> None:
    body = playback(api.client(fan), publish.image(creator, stored=True))
    assert body["hls_url"] is None
    picture = next(each for each in body["renditions"] if each["name"] == "w640.webp")
    assert api.client().get(picture["url"]).content == b"w640.webp"
    unsigned = picture["url"].partition("?")[0]
    assert api.client().get(unsigned).status_code == 403


def test_a_stranger_gets_the_offers_that_would_open_it(
    api: RunningApi, make_user: MakeUser, creator: User, publish: Publisher
) -> None:
    media = publish.video(creator)
    answer = api.client(make_user()).post(f"{MEDIA}/{media.id}/playback")
    assert (answer.status_code, answer.json()["code"]) == (402, "payment_required")
    assert answer.json()["offers"] == [{"kind": "subscribe", "creator_id": creator.id}]


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"state": "processing"}, "not_ready"),
        ({"state": "uploading"}, "not_ready"),
        ({"state": "rejected", "rejection_code": "corrupt_media"}, "media_rejected"),
    ],
)
def test_what_is_not_there_yet_is_a_conflict_for_its_owner(
    api: RunningApi,
    creator: User,
    make_media: MakeMedia,
    columns: dict[str, str],
    code: str,
) -> None:
    media = make_media(owner=creator, **columns)
    answer = api.client(creator).post(f"{MEDIA}/{media.id}/playback")
    assert (answer.status_code, answer.json()["code"]) == (409, code)


def test_revocation_ends_playlists_and_keys_at_the_next_request(
    api: RunningApi, fan: User, creator: User, publish: Publisher, engine: Engine
) -> None:
    media = publish.video(creator)
    nobody = api.client()
    body = playback(api.client(fan), media)
    master_url = body["hls_url"]
    rung_url = urljoin(master_url, lines_of(nobody.get(master_url).text)[0])
    key_address = key_url(nobody.get(rung_url).text, rung_url)
    urls = [master_url, rung_url, key_address, body["storyboard_url"]]
    assert [nobody.get(url).status_code for url in urls] == [200] * 4
    with transaction(engine) as session:
        session.execute(update(Entitlement).values(revoked_at=datetime.now(UTC)))
    for url in urls:
        answer = nobody.get(url)
        assert (answer.status_code, answer.json()["code"]) == (402, "payment_required")
        assert KEY not in answer.content
    with transaction(engine) as session:
        session.get_one(Media, media.id).visibility = "private"
    assert [nobody.get(url).status_code for url in urls] == [404] * 4
    with transaction(engine) as session:
        session.execute(update(Entitlement).values(revoked_at=None))
        session.get_one(Media, media.id).visibility = "gated"
        session.get_one(User, fan.id).deleted_at = datetime.now(UTC)
    assert [nobody.get(url).status_code for url in urls] == [401] * 4


def test_a_ticket_is_for_one_media(
    api: RunningApi, fan: User, creator: User, publish: Publisher
) -> None:
    media, other = publish.video(creator), publish.video(creator)
    url = playback(api.client(fan), media)["hls_url"]
    answer = api.client().get(url.replace(media.id, other.id))
    assert (answer.status_code, answer.json()["code"]) == (403, "playback_token_invalid")


def test_a_changed_or_missing_ticket_opens_nothing(
    api: RunningApi, fan: User, creator: User, publish: Publisher
) -> None:
    media = publish.video(creator)
    url = playback(api.client(fan), media)["hls_url"]
    base, _, token = url.partition("?token=")
    nobody = api.client()
    for place in (0, 10, 40, len(token) - 1):
        digit = "A" if token[place] != "A" else "B"
        changed = token[:place] + digit + token[place + 1 :]
        answer = nobody.get(f"{base}?token={changed}")
        assert (answer.status_code, answer.json()["code"]) == (403, "playback_token_invalid")
    assert nobody.get(f"{base}?token=").status_code == 422
    assert nobody.get(base).status_code == 422


@pytest.mark.parametrize("path", ["hls/master.m3u8", "hls/240p.m3u8", "hls/key", "storyboard.vtt"])
def test_an_expired_ticket_opens_nothing(
    api: RunningApi, fan: User, creator: User, publish: Publisher, path: str
) -> None:
    media = publish.video(creator)
    use = TicketUse.START if path in ("hls/master.m3u8", "storyboard.vtt") else TicketUse.SESSION
    key = api.settings.url_signing_key_bytes

    def get(expires_at: int) -> httpx.Response:
        ticket = seal_ticket(Ticket(media.id, 1, fan.id, use, expires_at), key=key)
        return api.client().get(f"{MEDIA}/{media.id}/{path}?token={ticket}")

    assert get(int(time.time()) + 60).status_code == 200
    answer = get(int(time.time()))
    assert (answer.status_code, answer.json()["code"]) == (403, "playback_token_expired")


def test_an_address_that_people_share_opens_no_key(
    api: RunningApi, fan: User, creator: User, publish: Publisher
) -> None:
    """The ticket in the master's address is not the one that playlists carry inside."""
    media = publish.video(creator)
    token = playback(api.client(fan), media)["hls_url"].partition("?token=")[2]
    for path in ("hls/key", "hls/240p.m3u8"):
        answer = api.client().get(f"{MEDIA}/{media.id}/{path}?token={token}")
        assert (answer.status_code, answer.json()["code"]) == (403, "playback_token_invalid")


def test_a_ticket_ends_when_another_generation_is_published(
    api: RunningApi, fan: User, creator: User, publish: Publisher, engine: Engine
) -> None:
    media = publish.video(creator)
    url = playback(api.client(fan), media)["hls_url"]
    with transaction(engine) as session:
        session.execute(update(Media).values(generation=2, published_generation=2))
    answer = api.client().get(url)
    assert (answer.status_code, answer.json()["code"]) == (410, "playback_superseded")


def test_an_unknown_rung_is_not_found(
    api: RunningApi, fan: User, creator: User, publish: Publisher
) -> None:
    media = publish.video(creator)
    url = playback(api.client(fan), media)["hls_url"]
    master = api.client().get(url)
    rung_url = urljoin(url, lines_of(master.text)[0]).replace("240p", "999p")
    answer = api.client().get(rung_url)
    assert (answer.status_code, answer.json()["code"]) == (404, "rendition_unknown")


def test_addresses_go_to_the_cdn_where_one_is_set(
    start_api: StartApi, fan: User, creator: User, publish: Publisher
) -> None:
    api = start_api(
        cdn_base_url="https://cdn.example/files", cdn_signing_key=publish.settings.url_signing_key
    )
    image = publish.image(creator)
    pictures = {each["name"]: each for each in playback(api.client(fan), image)["renditions"]}
    signed = urlsplit(pictures["w640.webp"]["url"])
    assert signed.netloc == "cdn.example"
    assert signed.path == f"/files/m/{image.id}/1/w640.webp"
    assert re.fullmatch(r"expires=\d+&token=[\w-]{43}", signed.query)
    assert pictures["blur.jpg"]["url"] == f"https://cdn.example/files/p/{image.id}/1/blur.jpg"


def test_segments_of_a_long_video_can_be_fetched_for_twice_its_length(
    api: RunningApi, fan: User, creator: User, publish: Publisher
) -> None:
    media = publish.video(creator)
    with transaction(publish.engine) as session:
        session.get_one(Media, media.id).duration_ms = 3 * 3600 * 1000
    url = playback(api.client(fan), media)["hls_url"]
    master = api.client().get(url)
    rung = api.client().get(urljoin(url, lines_of(master.text)[0]))
    assert {re.search(r"X-Amz-Expires=(\d+)", line)[1] for line in lines_of(rung.text)} == {  # type: ignore[index]
        str(6 * 3600)
    }


# --- many at once ----------------------------------------------------------------------------


def test_many_are_decided_in_the_order_asked(
    api: RunningApi,
    creator: User,
    make_user: MakeUser,
    entitle: Entitle,
    publish: Publisher,
    make_media: MakeMedia,
) -> None:
    fan = make_user()
    opened, locked = publish.image(creator), publish.image(creator)
    until = datetime.now(UTC) + timedelta(days=30)
    entitle(fan, creator_id=creator.id, media_id=opened.id, expires_at=until)
    public = publish.image(creator, visibility="public")
    private = publish.image(creator, visibility="private")
    mine = make_media(owner=fan, purpose="avatar")
    unknown = "01890000-0000-7000-8000-000000000000"
    ids = [locked.id, unknown, opened.id, mine.id, private.id, public.id, locked.id]
    client = api.client(fan)
    items = client.post(f"{MEDIA}:batchAccess", json={"media_ids": ids}).json()["data"]
    assert [item["media_id"] for item in items] == ids
    assert [item["reason"] for item in items] == [
        "not_entitled",
        "hidden",
        "entitled",
        "owner",
        "hidden",
        "public",
        "not_entitled",
    ]
    assert datetime.fromisoformat(items[2]["expires_at"]) == until
    assert items[1] | {"media_id": ""} == items[4] | {"media_id": ""}
    nobody = api.client().post(f"{MEDIA}:batchAccess", json={"media_ids": ids}).json()["data"]
    assert [item["allowed"] for item in nobody] == [False] * 5 + [True, False]


@pytest.mark.parametrize("count", [0, 101])
def test_a_batch_has_1_to_100_ids(api: RunningApi, creator: User, count: int) -> None:
    ids = ["01890000-0000-7000-8000-000000000000"] * count
    answer = api.client(creator).post(f"{MEDIA}:batchAccess", json={"media_ids": ids})
    assert answer.status_code == 422
    ids = ["01890000-0000-7000-8000-000000000000"] * 100
    assert api.client().post(f"{MEDIA}:batchAccess", json={"media_ids": ids}).status_code == 200
