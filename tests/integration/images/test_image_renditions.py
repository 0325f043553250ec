"""What the renditions of a picture are: sizes, formats, colours, orientation, no metadata."""

from __future__ import annotations

from pathlib import Path

import pillow_heif
import pillow_jxl  # noqa: F401 (lets Pillow write the test's JPEG XL)
import pytest
import pyvips
from PIL import ExifTags, Image

from domain.errors import Invalid
from domain.media.images import ImagePolicy
from domain.media.states import RenditionKind
from infra.images import render_poster
from infra.sandbox import Zygote
from tests.integration.images.conftest import Renderer
from tests.integration.images.pictures import (
    BLUE,
    GREEN,
    GREY,
    RED,
    Rgb,
    animation,
    colour_at,
    corner_colours,
    corners,
    is_near,
    opened,
    scene,
    webp_frames,
    with_profile,
)

UPRIGHT = [RED, GREEN, BLUE, GREY]


def assert_lies_upright(path: Path, by: int = 12) -> None:
    found = corner_colours(path)
    assert all(is_near(a, b, by) for a, b in zip(found, UPRIGHT, strict=True)), found


def test_every_file_is_what_its_row_says(rendered: Renderer, tmp_path: Path) -> None:
    source = tmp_path / "photo.jpg"
    scene(2600, 1950).save(source, quality=90)
    made = rendered(source, policy=ImagePolicy(avif=True, avif_effort=0))
    assert (made.width, made.height, made.frames, made.has_alpha) == (2600, 1950, 1, False)
    assert len(made.renditions) == 10 + 4 + 4
    for file in made.renditions:
        with Image.open(file.path) as picture:
            assert picture.size == (file.width, file.height), file.name
            assert picture.get_format_mimetype() == file.content_type
            assert picture.mode == "RGB"
        assert file.bytes == file.path.stat().st_size > 0
    kinds = {file.name: file.kind for file in made.renditions}
    assert kinds["w2048.jpg"] is RenditionKind.IMAGE
    assert kinds["thumb.webp"] is RenditionKind.THUMBNAIL
    assert kinds["blur.webp"] is RenditionKind.BLUR


def test_jpegs_are_progressive_with_halved_colour(rendered: Renderer, tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    scene(700, 500).save(source)
    for file in rendered(source).renditions:
        if file.content_type == "image/jpeg":
            with Image.open(file.path) as picture:
                assert picture.info.get("progressive"), file.name
                assert [layer[1:3] for layer in picture.layer] == [(2, 2), (1, 1), (1, 1)]  # type: ignore[attr-defined]


def test_a_small_picture_is_not_enlarged(rendered: Renderer, tmp_path: Path) -> None:
    source = tmp_path / "small.png"
    scene(90, 40).save(source)
    made = rendered(source)
    sizes = {file.name: (file.width, file.height) for file in made.renditions}
    assert sizes["w90.jpg"] == sizes["w90.webp"] == (90, 40)
    assert sizes["thumb.webp"] == (40, 40)
    assert not any(width > 90 for width, _ in sizes.values())


def test_a_single_rendition_can_be_made_again(rendered: Renderer, tmp_path: Path) -> None:
    source = tmp_path / "photo.jpg"
    scene(1000, 800).save(source)
    every = {file.name: file.path.read_bytes() for file in rendered(source).renditions}
    made = rendered(source, only=("w640.webp",))
    assert [file.name for file in made.renditions] == ["w640.webp"]
    assert made.renditions[0].path.read_bytes() == every["w640.webp"]
    with pytest.raises(Invalid):
        rendered(source, only=("w2048.webp",))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "tif"])
def test_orientation_is_applied(
    rendered: Renderer, tmp_path: Path, orientation: int, extension: str
) -> None:
    # Undo what the tag asks a viewer to do, so that the right reading is upright again.
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    shown = corners(480, 320)
    stored = shown.transpose(undo[orientation]) if orientation in undo else shown
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    source = tmp_path / f"turned.{extension}"
    stored.save(source, exif=exif)
    made = rendered(source, only=("w320.jpg", "blur.webp"))
    assert (made.width, made.height) == (480, 320)
    for file in made.renditions:
        assert_lies_upright(file.path, by=12 if file.kind is RenditionKind.IMAGE else 40)


SECRETS = (b"GEHEIM", b"GPS", b"Exif", b"http", b"Photoshop", b"ICC_PROFILE", b"ICCP", b"XMP ")


def test_no_metadata_is_left_in_any_rendition(rendered: Renderer, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "GEHEIM"
    exif[ExifTags.Base.Model] = "GEHEIM phone"
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", (52.0, 31.0, 12.0)
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf>GEHEIM http://ns.adobe.com</rdf></x:xmpmeta>'
    wide = with_profile(tmp_path / "wide.png", COLOUR, "p3")
    profile = opened(wide).info["icc_profile"]
    source = tmp_path / "photo.jpg"
    scene(800, 600).save(source, exif=exif, xmp=xmp, comment=b"GEHEIM", icc_profile=profile)
    assert all(secret in source.read_bytes() for secret in (b"GEHEIM", b"Exif", b"ICC_PROFILE"))
    made = rendered(source, policy=ImagePolicy(avif=True, avif_effort=0), watermark_text="@moon")
    for path in [made.sample, *(file.path for file in made.renditions)]:
        raw = path.read_bytes()
        assert [secret for secret in SECRETS if secret in raw] == [], path.name


def test_the_sample_for_moderation_is_small_and_carries_no_watermark(
    rendered: Renderer, tmp_path: Path
) -> None:
    source = tmp_path / "photo.jpg"
    Image.new("RGB", (1600, 1200), (30, 90, 160)).save(source)
    made = rendered(source, watermark_text="@moonlight")
    with Image.open(made.sample) as sample:
        assert sample.format == "JPEG"
        assert 512 <= max(sample.size) <= 1024
        assert all(high - low <= 4 for low, high in sample.getextrema())  # type: ignore[misc]


# --- colour ----------------------------------------------------------------------------------

COLOUR: Rgb = (190, 110, 60)


@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "tif"])
def test_a_wide_gamut_picture_looks_the_same_in_srgb(
    rendered: Renderer, tmp_path: Path, extension: str
) -> None:
    source = with_profile(tmp_path / f"wide.{extension}", COLOUR, "p3")
    stored = pyvips.Image.new_from_file(str(source)).getpoint(200, 150)
    assert max(abs(a - b) for a, b in zip(stored, COLOUR, strict=True)) > 8
    for file in rendered(source, only=("w320.jpg", "w320.webp")).renditions:
        assert is_near(colour_at(file.path), COLOUR), file.name


@pytest.mark.parametrize("has_profile", [True, False])
def test_cmyk_looks_right_with_and_without_a_profile(
    rendered: Renderer, tmp_path: Path, has_profile: bool
) -> None:
    keep = "icc" if has_profile else "none"
    # Within reach of the press: what is not would change on the way to ink already.
    shade = (170, 130, 110)
    source = with_profile(tmp_path / "ink.jpg", shade, "cmyk", keep=keep, Q=95)
    assert opened(source).mode == "CMYK"
    for file in rendered(source, only=("w320.jpg", "w320.webp")).renditions:
        assert is_near(colour_at(file.path), shade, 16), file.name


def test_adobes_inverted_cmyk_is_not_a_negative(rendered: Renderer, tmp_path: Path) -> None:
    """Pillow writes CMYK as Photoshop does, inverted and with Adobe's marker."""
    source = tmp_path / "ink.jpg"
    Image.new("CMYK", (400, 300), (0, 0, 0, 0)).save(source, quality=95)
    assert b"Adobe" in source.read_bytes()[:200]
    made = rendered(source, only=("w320.jpg",))
    assert min(colour_at(made.renditions[0].path)) > 240


def test_a_broken_profile_does_not_spoil_the_picture(rendered: Renderer, tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    Image.new("RGB", (400, 300), COLOUR).save(source, icc_profile=b"not a profile" * 20)
    made = rendered(source, only=("w320.webp",))
    assert is_near(colour_at(made.renditions[0].path), COLOUR)


@pytest.mark.parametrize("extension", ["png", "tif"])
def test_sixteen_bits_become_eight_of_the_same_shade(
    rendered: Renderer, tmp_path: Path, extension: str
) -> None:
    deep = (pyvips.Image.black(400, 300, bands=3) + [c * 257 for c in COLOUR]).cast("ushort")
    source = tmp_path / f"deep.{extension}"
    deep.copy(interpretation="rgb16").write_to_file(str(source))
    made = rendered(source, only=("w320.jpg", "w320.webp"))
    for file in made.renditions:
        assert is_near(colour_at(file.path), COLOUR), file.name


@pytest.mark.parametrize("mode", ["L", "1", "P", "I;16"])
def test_grey_and_palette_pictures_become_ordinary_ones(
    rendered: Renderer, tmp_path: Path, mode: str
) -> None:
    if mode == "I;16":
        flat = Image.new("I;16", (400, 300), 200 * 257)
    else:
        shade = (255,) * 3 if mode == "1" else (200,) * 3
        flat = Image.new("RGB", (400, 300), shade)
        flat = flat.quantize(16) if mode == "P" else flat.convert(mode)
    source = tmp_path / "grey.png"
    flat.save(source)
    made = rendered(source, only=("w320.jpg", "w320.webp"))
    for file in made.renditions:
        assert is_near(colour_at(file.path), (200,) * 3 if mode != "1" else (255,) * 3), file.name


def test_alpha_is_kept_in_webp_and_avif_and_lies_on_white_in_jpeg(
    rendered: Renderer, tmp_path: Path
) -> None:
    picture = Image.new("RGBA", (800, 600), (0, 0, 0, 0))
    picture.paste((200, 30, 30, 255), (0, 0, 400, 600))
    source = tmp_path / "logo.png"
    picture.save(source)
    made = rendered(source, policy=ImagePolicy(avif=True, avif_effort=0))
    assert made.has_alpha
    for file in made.renditions:
        if file.kind is not RenditionKind.IMAGE:
            continue
        red, clear = colour_at(file.path, x=0.25), colour_at(file.path, x=0.75)
        if file.content_type == "image/jpeg":
            assert is_near(red, (200, 30, 30), 10) and is_near(clear, (255, 255, 255))
        else:
            assert is_near(red, (200, 30, 30, 255), 10), file.name
            assert clear[3] == 0, file.name


def test_see_through_pixels_lend_no_colour_to_the_edge(rendered: Renderer, tmp_path: Path) -> None:
    """Green hides under the clear half; scaled carelessly, it would bleed into the red."""
    picture = Image.new("RGBA", (1000, 600), (0, 255, 0, 0))
    picture.paste((255, 0, 0, 255), (0, 0, 501, 600))
    source = tmp_path / "edge.png"
    picture.save(source)
    made = rendered(source, only=("w320.jpg",))
    row = opened(made.renditions[0].path).convert("RGB").crop((0, 96, 320, 97)).tobytes()
    for green, blue in zip(row[1::3], row[2::3], strict=True):
        assert abs(green - blue) < 14, (green, blue)


def test_alpha_that_hides_nothing_is_dropped(rendered: Renderer, tmp_path: Path) -> None:
    source = tmp_path / "opaque.png"
    scene(500, 300).convert("RGBA").save(source)
    made = rendered(source, only=("w500.webp",))
    assert not made.has_alpha
    assert opened(made.renditions[0].path).mode == "RGB"


# --- formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.bmp", "a.gif", "a.tif", "a.webp", "a.png", "a.jp2", "a.avif"])
def test_a_picture_of_each_common_kind_is_shown(
    rendered: Renderer, tmp_path: Path, name: str
) -> None:
    source = tmp_path / name
    corners(480, 320).save(source)
    made = rendered(source, only=("w480.jpg",))
    assert_lies_upright(made.renditions[0].path, by=20)


def test_jpeg_xl_is_shown(rendered: Renderer, tmp_path: Path) -> None:
    source = tmp_path / "a.jxl"
    corners(480, 320).save(source)
    assert_lies_upright(rendered(source, only=("w480.jpg",)).renditions[0].path, by=20)


@pytest.mark.parametrize("bits", [8, 10])
def test_heic_from_a_phone_is_shown(rendered: Renderer, tmp_path: Path, bits: int) -> None:
    source = tmp_path / "a.heic"
    picture = corners(480, 320)
    if bits == 8:
        pillow_heif.from_pillow(picture).save(source, quality=95)
    else:
        pillow_heif.options.SAVE_HDR_TO_12_BIT = False
        wide = b"".join((value * 257).to_bytes(2, "little") for value in picture.tobytes())
        pillow_heif.encode("RGB;16", (480, 320), wide, str(source), quality=95)
        assert pillow_heif.open_heif(source, convert_hdr_to_8bit=False).info["bit_depth"] == 10
    made = rendered(source, only=("w480.jpg", "w320.webp"))
    assert made.facts["format"] == "heif"
    for file in made.renditions:
        assert_lies_upright(file.path, by=20)


def test_only_the_first_page_of_a_tiff_is_the_picture(rendered: Renderer, tmp_path: Path) -> None:
    source = tmp_path / "pages.tif"
    corners(400, 300).save(source, save_all=True, append_images=[Image.new("RGB", (9, 9))] * 3)
    made = rendered(source, only=("w400.jpg",))
    assert made.frames == 1
    assert_lies_upright(made.renditions[0].path)


def test_a_fax_with_one_bit_a_pixel_is_shown(rendered: Renderer, tmp_path: Path) -> None:
    source = tmp_path / "fax.tif"
    page = Image.new("1", (1728, 1100), 1)
    page.paste(0, (0, 0, 864, 1100))
    page.save(source, compression="group4")
    made = rendered(source, only=("w640.jpg",))
    assert max(colour_at(made.renditions[0].path, x=0.2)) < 12
    assert min(colour_at(made.renditions[0].path, x=0.8)) > 243


# --- animations ------------------------------------------------------------------------------

DELAYS = [100, 40, 250, 70]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.gif", {}),
        ("a.webp", {"lossless": True}),
        ("a.png", {}),
        ("a.avif", {"quality": 90}),
    ],
)
def test_an_animation_goes_on_moving_as_webp(
    rendered: Renderer, tmp_path: Path, name: str, options: dict[str, object]
) -> None:
    loops = 0 if name.endswith("avif") else 3
    source = animation(tmp_path / name, size=(700, 500), delays_ms=DELAYS, loops=loops, **options)
    made = rendered(source, policy=ImagePolicy(avif=True))
    assert made.frames == len(DELAYS)
    # Of a GIF, 3 is how often it repeats, or how often it plays: readers count both ways.
    for file in made.renditions:
        assert file.content_type != "image/avif"
        if file.content_type == "image/webp" and file.kind is RenditionKind.IMAGE:
            frames, delays, loop = webp_frames(file.path)
            assert (frames, delays) == (len(DELAYS), DELAYS), file.name
            assert (loop == 0) == (loops == 0)
        else:
            with Image.open(file.path) as picture:
                assert getattr(picture, "n_frames", 1) == 1, file.name


def test_every_frame_of_an_animation_is_scaled_and_marked_by_itself(
    rendered: Renderer, tmp_path: Path
) -> None:
    source = animation(tmp_path / "a.gif", size=(900, 505), delays_ms=[80] * 3, loops=0)
    made = rendered(source, only=("w640.webp",), watermark_text="@moon")
    with Image.open(source) as before, Image.open(made.renditions[0].path) as after:
        for number in range(3):
            before.seek(number)
            after.seek(number)
            shade = before.convert("RGB").getpixel((5, 5))
            frame = after.convert("RGB")
            for place in ((3, 3), (636, 3), (3, 355), (320, 180)):
                found = frame.getpixel(place)
                assert isinstance(found, tuple) and isinstance(shade, tuple)
                assert is_near(found, shade, 8), (number, place)
            low, high = frame.crop((480, 320, 640, 359)).convert("L").getextrema()
            assert float(high) - float(low) > 60  # type: ignore[arg-type]


def test_an_apngs_still_for_old_viewers_is_not_a_frame(rendered: Renderer, tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    frames = [Image.new("RGB", (300, 200), shade) for shade in (RED, GREEN, BLUE)]
    frames[0].save(source, save_all=True, append_images=frames[1:], default_image=True, duration=90)
    made = rendered(source, only=("w300.webp", "w300.jpg"))
    assert made.frames == 2
    assert is_near(colour_at(made.renditions[1].path), GREEN, 8)


# --- posters ---------------------------------------------------------------------------------


def test_a_poster_is_made_of_a_frame_with_its_previews(zygote: Zygote, tmp_path: Path) -> None:
    frame = tmp_path / "frame.jpg"
    scene(1280, 720).save(frame)
    made = render_poster(zygote, source=frame, out_dir=tmp_path, policy=ImagePolicy())
    sizes = {file.name: (file.width, file.height) for file in made.renditions}
    assert sizes == {
        **dict.fromkeys(("poster.webp", "poster.jpg"), (1280, 720)),
        **dict.fromkeys(("thumb.webp", "thumb.jpg"), (256, 256)),
        **dict.fromkeys(("poster_blur.webp", "poster_blur.jpg"), (64, 36)),
    }
    for file in made.renditions:
        with Image.open(file.path) as picture:
            assert picture.size == (file.width, file.height)
