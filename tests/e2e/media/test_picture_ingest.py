"""Pictures: what is published of an upload, looked at as files."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from tests.e2e.media import pictures
from tests.e2e.media.person import Json, Person, SourceFile, fetch, fetched
from tests.e2e.media.pictures import pixels_of
from tests.e2e.media.platform import Platform

pytestmark = pytest.mark.timeout(300)

NEAR = 6
"""Steps of 255 by which lossy renditions may miss a flat colour."""


@dataclass(frozen=True)
class Published:
    """A ready picture, and the bytes of each of its renditions by name."""

    media: Json
    files: dict[str, bytes]

    @property
    def id(self) -> str:
        return str(self.media["id"])

    def pixels(self, name: str, *, mode: str = "RGB") -> pictures.Pixels:
        return pixels_of(self.files[name], mode=mode)


@dataclass(frozen=True)
class Album:
    """Everything this module looks at, ingested at once."""

    owner: Person
    camera: Published
    glass: Published
    letter: Published
    marked: dict[int, Published]
    """Flat pictures with a watermark, by their shade."""
    unmarked: dict[int, Published]


SHADES = (245, 12)


@pytest.fixture(scope="module")
def album(platform: Platform) -> Album:
    owner = platform.creator("mia.photographs")
    sources: dict[str, tuple[SourceFile, bool]] = {
        "camera": (pictures.from_a_camera(), False),
        "glass": (pictures.glass(), False),
        "letter": (pictures.letter(), False),
    }
    for shade in SHADES:
        sources[f"marked {shade}"] = (pictures.flat(shade), True)
        sources[f"unmarked {shade}"] = (pictures.flat(shade), False)
    ids = {
        name: owner.upload(source, watermark=watermark)
        for name, (source, watermark) in sources.items()
    }
    made = {name: _published(owner.ready(media_id)) for name, media_id in ids.items()}
    return Album(
        owner=owner,
        camera=made["camera"],
        glass=made["glass"],
        letter=made["letter"],
        marked={shade: made[f"marked {shade}"] for shade in SHADES},
        unmarked={shade: made[f"unmarked {shade}"] for shade in SHADES},
    )


def _published(media: Json) -> Published:
    return Published(media, {each["name"]: fetched(each["url"]) for each in media["renditions"]})


def test_every_width_comes_as_jpeg_and_webp_and_none_is_enlarged(album: Album) -> None:
    sizes = {
        each["name"]: (each["kind"], each["width"], each["height"])
        for each in album.camera.media["renditions"]
    }
    expected = {"thumb": ("thumbnail", 256, 256), "blur": ("blur", 64, 48)} | {
        f"w{width}": ("image", width, width * 3 // 4) for width in (320, 640, 960, 1440, 1600)
    }
    assert sizes == {
        f"{name}.{extension}": size
        for name, size in expected.items()
        for extension in ("jpg", "webp")
    }


def test_files_are_of_the_size_and_type_that_the_api_names(album: Album) -> None:
    for published in (album.camera, album.glass, *album.marked.values()):
        for each in published.media["renditions"]:
            content = published.files[each["name"]]
            with Image.open(io.BytesIO(content)) as picture:
                assert picture.size == (each["width"], each["height"]), each["name"]
                assert Image.MIME[picture.format or ""] == each["content_type"]
            assert len(content) == each["bytes"]


def test_a_picture_stored_on_its_side_is_put_upright(album: Album) -> None:
    assert (album.camera.media["width"], album.camera.media["height"]) == (1600, 1200)
    for name in ("w1600.jpg", "w960.webp", "w320.jpg"):
        shown = album.camera.pixels(name)
        high, wide, _ = shown.shape
        for place, colour in pictures.CORNERS.items():
            row = high // 16 if "top" in place else high - high // 16
            column = wide // 16 if "left" in place else wide - wide // 16
            assert np.abs(shown[row, column] - colour).max() <= NEAR, f"{name}, {place}"


def test_colours_of_a_wide_gamut_arrive_in_srgb(album: Album) -> None:
    stored = pixels_of(pictures.from_a_camera().content)
    raw = stored[stored.shape[0] // 2, stored.shape[1] // 2]
    assert np.abs(raw - pictures.BRICK).max() > 3 * NEAR, "the source itself is in sRGB"
    for name in ("w1600.jpg", "w1600.webp", "w640.webp", "thumb.jpg"):
        shown = album.camera.pixels(name)
        middle = shown[shown.shape[0] // 2, shown.shape[1] // 2]
        assert np.abs(middle - pictures.BRICK).max() <= NEAR, f"{name}: {middle}"


def test_no_metadata_is_left_in_any_rendition(album: Album) -> None:
    source = pictures.from_a_camera().content
    assert source.count(pictures.SECRET.encode()) >= 4
    for name, content in album.camera.files.items():
        for trace in (pictures.SECRET.encode(), b"Exif\0", b"adobe:ns:meta", b"GPS"):
            assert trace not in content, f"{name} carries {trace!r}"
        with Image.open(io.BytesIO(content)) as picture:
            assert not dict(picture.getexif()), name
            assert not {"xmp", "comment", "exif"} & set(picture.info), name


@pytest.mark.parametrize("shade", SHADES)
@pytest.mark.parametrize("name", ["w700.jpg", "w700.webp", "w640.webp"])
def test_the_watermark_is_seen_in_its_corner_and_nowhere_else(
    album: Album, shade: int, name: str
) -> None:
    marked, unmarked = album.marked[shade].pixels(name), album.unmarked[shade].pixels(name)
    difference = np.abs(marked - unmarked).max(axis=2)
    high, wide = difference.shape
    corner = difference[high * 85 // 100 :, wide // 2 :]
    assert corner.max() > 100, "the mark can't be told from its ground"
    assert (corner > 60).sum() > 100, "the mark is only a few points"
    difference[high * 85 // 100 :, wide // 2 :] = 0
    assert difference.max() <= NEAR, "the mark reaches beyond its corner"


@pytest.mark.parametrize("shade", SHADES)
def test_narrow_renditions_and_thumbnails_carry_no_watermark(album: Album, shade: int) -> None:
    marked, unmarked = album.marked[shade], album.unmarked[shade]
    for name in ("w320.jpg", "w320.webp", "thumb.jpg", "thumb.webp", "blur.jpg"):
        assert np.abs(marked.pixels(name) - unmarked.pixels(name)).max() <= 1, name


def test_words_can_not_be_read_in_the_blur(album: Album) -> None:
    clear = np.asarray(
        Image.fromarray(album.letter.pixels("w960.jpg").astype(np.uint8)).resize((64, 43))
    ).astype(np.int16)
    blurred = album.letter.pixels("blur.jpg")
    assert pictures.detail(clear) > 20, "the picture has no detail to hide"
    assert pictures.detail(blurred) < pictures.detail(clear) / 10


def test_transparency_is_kept_in_webp_and_laid_on_a_ground_in_jpeg(album: Album) -> None:
    shown = album.glass.pixels("w400.webp", mode="RGBA")
    middle = shown.shape[0] // 2
    assert shown[middle, 60, 3] == 0
    assert abs(shown[middle, 200, 3] - 128) <= NEAR
    assert np.abs(shown[middle, 340] - (220, 20, 20, 255)).max() <= NEAR
    flat = album.glass.pixels("w400.jpg")
    assert flat[middle, 60].min() > 240, "what is see-through should be on white"
    assert np.abs(flat[middle, 340] - (220, 20, 20)).max() <= NEAR


def test_only_the_blur_is_public(album: Album, platform: Platform) -> None:
    media_id = album.camera.id
    stored = platform.stored(media_id)
    assert stored["public"] == [f"p/{media_id}/1/blur.jpg", f"p/{media_id}/1/blur.webp"]
    assert stored["original"] == [f"o/{media_id}"]
    assert stored["work"] == []
    names = {key.rpartition("/")[2] for key in stored["private"]}
    assert names == set(album.camera.files) - {"blur.jpg", "blur.webp"}
    for each in album.camera.media["renditions"]:
        bare = fetch(each["url"].partition("?")[0])
        assert (bare.status_code == 200) is (each["kind"] == "blur"), each["name"]


def test_a_stranger_sees_the_blur_and_nothing_else(album: Album, platform: Platform) -> None:
    seen = platform.fan().media(album.camera.id)
    assert {each["kind"] for each in seen["renditions"]} == {"blur"}
    assert seen["access"]["allowed"] is False
    assert seen["title"] is None


def test_the_row_says_what_was_found(album: Album) -> None:
    manage = album.camera.media["manage"]
    assert manage["content_type"] == "image/jpeg"
    assert manage["published_generation"] == 1
    assert manage["progress"]["percent"] == 100
    assert manage["moderation_outcome"] == "pass"
    assert album.camera.media["thumbhash"]
