"""Processing again: all of a media or one rendition of it, while the earlier one is served."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.e2e.media import pictures
from tests.e2e.media.person import Json, Person, SourceFile, fetch, fetched
from tests.e2e.media.platform import Platform
from tests.e2e.media.watching import master_of, watch
from tests.integration.media.video_clips import FAST_H264, ffmpeg, picture, tone

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def owner(platform: Platform) -> Person:
    return platform.creator("rosa.repeats")


def _again(owner: Person, media_id: str, *renditions: str) -> None:
    wish: Json = {"renditions": list(renditions)} if renditions else {}
    owner.call("POST", f"/media/{media_id}/reprocess", **wish)


def _by_name(media: Json) -> dict[str, Json]:
    return {each["name"]: each for each in media["renditions"]}


def _generations(platform: Platform, media_id: str, *, generation: int) -> dict[str, str]:
    """The generation that made each rendition of `generation`, by its name."""
    rows = platform.renditions(media_id, generation=generation)
    return {each.name: each.object_key.split("/")[2] for each in rows}


def test_all_of_a_picture_is_made_again_and_the_earlier_one_is_served_meanwhile(
    platform: Platform, owner: Person
) -> None:
    fan = platform.fan()
    platform.entitle(fan, owner)
    media_id = owner.upload(pictures.photo(100))
    first = owner.ready(media_id)
    _again(owner, media_id)
    assert fan.playback(media_id)["renditions"], "nobody loses sight of it meanwhile"
    second = owner.ready(media_id)
    assert second["manage"]["published_generation"] == 2
    assert _by_name(second).keys() == _by_name(first).keys()
    assert set(_generations(platform, media_id, generation=2).values()) == {"2"}
    for each in fan.media(media_id)["renditions"]:
        assert "/2/" in each["url"]
        assert len(fetched(each["url"])) == each["bytes"]


def test_objects_of_an_earlier_generation_go_when_links_to_them_have_run_out(
    platform: Platform, owner: Person
) -> None:
    media_id = owner.upload(pictures.photo(101))
    owner.ready(media_id)
    _again(owner, media_id)
    second = owner.ready(media_id)
    platform.sweep()
    assert {key.split("/")[2] for key in _served(platform, media_id)} == {"1", "2"}
    platform.age(media_id, timedelta(days=1))
    platform.sweep()
    assert {key.split("/")[2] for key in _served(platform, media_id)} == {"2"}
    assert platform.renditions(media_id, generation=1) == []
    for each in owner.media(media_id)["renditions"]:
        assert fetch(each["url"]).status_code == 200
    assert _by_name(owner.media(media_id)).keys() == _by_name(second).keys()


def _served(platform: Platform, media_id: str) -> list[str]:
    stored = platform.stored(media_id)
    return stored["private"] + stored["public"]


def test_one_rendition_of_a_picture_is_made_again_and_the_others_are_kept(
    platform: Platform, owner: Person
) -> None:
    media_id = owner.upload(pictures.photo(102))
    first = owner.ready(media_id)
    _again(owner, media_id, "w320.webp")
    second = owner.ready(media_id)
    made_by = _generations(platform, media_id, generation=2)
    assert {name for name, by in made_by.items() if by == "2"} == {"w320.webp"}
    assert _by_name(second).keys() == _by_name(first).keys()
    assert second["thumbhash"] == first["thumbhash"]
    platform.age(media_id, timedelta(days=1))
    platform.sweep()
    for each in owner.media(media_id)["renditions"]:
        assert len(fetched(each["url"])) == each["bytes"], f"{each['name']} went with its elders"
    owner.call("POST", f"/media/{media_id}/reprocess", status=404, renditions=["w9.webp"])


@pytest.fixture(scope="module")
def film(owner: Person, tmp_path_factory: pytest.TempPathFactory) -> Json:
    """A ready video of two rungs."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    ffmpeg(*picture(2, size="640x360", rate="10"), *tone(2), *FAST_H264, path)
    return owner.ready(owner.upload(SourceFile("film.mp4", path.read_bytes(), "video/mp4")))


def test_one_rung_of_a_video_is_made_again_and_plays_beside_the_others(
    platform: Platform, owner: Person, film: Json
) -> None:
    media_id = film["id"]
    before = platform.renditions(media_id, generation=1)
    _again(owner, media_id, "240p")
    media = owner.ready(media_id)
    made_by = _generations(platform, media_id, generation=2)
    assert {name for name, by in made_by.items() if by == "2"} == {"240p"}
    assert made_by.keys() == {each.name for each in before}
    rungs = master_of(owner, media_id).rungs
    assert {rung.size[1]: len(watch(rung.url)) for rung in rungs} == {240: 20, 360: 20}
    assert len({rung.key_url.partition("?")[0] for rung in rungs}) == 1
    assert media["duration_seconds"] == film["duration_seconds"]
