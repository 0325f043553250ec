"""Avatar and cover, from the upload to the profile that others see."""

from __future__ import annotations

import pytest

from tests.e2e.media import pictures
from tests.e2e.media.person import API, Person, fetched
from tests.e2e.media.pictures import pixels_of
from tests.e2e.media.platform import Platform

pytestmark = pytest.mark.timeout(300)


def wear(person: Person, **media_ids: str | None) -> None:
    etag = person.http.get(f"{API}/me").headers["etag"]
    answer = person.http.patch(f"{API}/me", json=media_ids, headers={"if-match": etag})
    assert answer.status_code == 200, answer.text


def test_a_profile_shows_the_pictures_that_ingest_made(platform: Platform) -> None:
    mia, stranger = platform.creator(), platform.fan()
    sent = {
        purpose: mia.upload(pictures.photo(seed), purpose=purpose, visibility=None, watermark=True)
        for seed, purpose in enumerate(("avatar", "cover"))
    }
    for media_id in sent.values():
        assert mia.ready(media_id)["visibility"] == "public"
    wear(mia, avatar_media_id=sent["avatar"], cover_media_id=sent["cover"])
    profile = stranger.call("GET", f"/creators/{mia.handle}")
    [small] = profile["avatar"]["sources"]
    assert pixels_of(fetched(small["url"])).shape[:2] == (small["height"], small["width"])
    widths = [source["width"] for source in profile["cover"]["sources"]]
    assert widths == sorted(widths) and widths[-1] == 640
    for source in profile["cover"]["sources"]:
        assert pixels_of(fetched(source["url"])).shape[1] == source["width"]
    assert platform.row(sent["avatar"]).watermark_text is None
    mia.call("DELETE", f"/media/{sent['avatar']}")
    assert stranger.call("GET", f"/creators/{mia.handle}")["avatar"] is None


def test_a_fan_has_a_face_as_well_beside_what_they_write(platform: Platform) -> None:
    mia, fan = platform.creator(), platform.fan()
    wear(fan, avatar_media_id=_ready_avatar(fan))
    post = mia.call("POST", "/posts", body="Hello", audience="public", state="published")
    fan.call("POST", f"/posts/{post['id']}/comments", body="Hi")
    [comment] = mia.call("GET", f"/posts/{post['id']}/comments")["data"]
    [small] = comment["author"]["avatar"]["sources"]
    assert small["content_type"] == "image/webp" and fetched(small["url"])


def _ready_avatar(person: Person) -> str:
    media_id = person.upload(pictures.photo(7), purpose="avatar", visibility=None)
    person.ready(media_id)
    return media_id
