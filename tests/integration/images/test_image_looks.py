"""What a viewer sees: a legible handle, a blur that tells nothing, a well-chosen thumbnail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageStat

from domain.media.images import ImagePolicy, WatermarkPolicy
from infra.images import RenderedImage
from tests.integration.images.conftest import Renderer
from tests.integration.images.pictures import lettering, opened, scene

HANDLE = "@moon_river"
Box = tuple[int, int, int, int]


def picture_of(made: RenderedImage, name: str) -> Image.Image:
    path = next(file.path for file in made.renditions if file.name == name)
    return opened(path).convert("RGB")


def changed(before: Image.Image, after: Image.Image) -> tuple[Box | None, int]:
    """Where two pictures differ beyond what an encoder does, and by how much at most."""
    difference = ImageChops.difference(before, after).convert("L")
    box = difference.point(lambda value: 255 if value > 24 else 0).getbbox()
    return box, int(difference.getextrema()[1])  # type: ignore[arg-type]


@pytest.mark.parametrize("shade", [0, 40, 128, 215, 255])
def test_the_handle_is_legible_on_every_shade(
    rendered: Renderer, tmp_path: Path, shade: int
) -> None:
    source = tmp_path / "plain.png"
    Image.new("RGB", (1280, 960), (shade,) * 3).save(source)
    corner = picture_of(
        rendered(source, only=("w1280.jpg",), watermark_text=HANDLE), "w1280.jpg"
    ).crop((640, 860, 1280, 960))
    low, high = corner.convert("L").getextrema()
    # Light letters stand on a dark rim: the contrast is theirs, whatever lies behind.
    assert float(high) - float(low) > 75, shade  # type: ignore[arg-type]


def test_the_handle_covers_its_corner_and_nothing_else(rendered: Renderer, tmp_path: Path) -> None:
    source = tmp_path / "photo.jpg"
    scene(2000, 1500).save(source, quality=92)
    plain, marked = rendered(source), rendered(source, watermark_text=HANDLE)
    for width in (640, 960, 1440, 2000):
        name = f"w{width}.jpg"
        before, after = picture_of(plain, name), picture_of(marked, name)
        box, strength = changed(before, after)
        assert box is not None and strength > 60, name
        assert box[0] > width * 0.5 and box[1] > after.height * 0.85, (name, box)
        letters = box[3] - box[1]
        assert 0.02 * after.height < letters < 0.09 * after.height, (name, box)
        # WebP spreads its bits anew over the whole picture, so look at the corner alone.
        corner = picture_of(plain, f"w{width}.webp").crop(box)
        assert changed(corner, picture_of(marked, f"w{width}.webp").crop(box))[1] > 60


def test_small_ones_and_previews_carry_no_handle(rendered: Renderer, tmp_path: Path) -> None:
    source = tmp_path / "photo.jpg"
    scene(1000, 800).save(source)
    plain, marked = rendered(source), rendered(source, watermark_text=HANDLE)
    for one, other in zip(plain.renditions, marked.renditions, strict=True):
        is_same = one.path.read_bytes() == other.path.read_bytes()
        assert is_same is (one.width < 640), one.name


@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
def test_the_corner_is_a_setting(rendered: Renderer, tmp_path: Path, corner: str) -> None:
    source = tmp_path / "plain.png"
    Image.new("RGB", (900, 700), (90, 120, 90)).save(source)
    policy = ImagePolicy(watermark=WatermarkPolicy(corner=corner))
    made = rendered(source, policy=policy, only=("w900.webp",), watermark_text=HANDLE)
    box, _ = changed(opened(source), picture_of(made, "w900.webp"))
    assert box is not None
    assert (box[2] < 450) is corner.endswith("left")
    assert (box[3] < 350) is corner.startswith("top")


def test_size_and_opacity_are_settings(rendered: Renderer, tmp_path: Path) -> None:
    source = tmp_path / "plain.png"
    Image.new("RGB", (900, 700), (90, 120, 90)).save(source)

    def look(policy: WatermarkPolicy) -> tuple[int, int]:
        made = rendered(
            source,
            policy=ImagePolicy(watermark=policy),
            only=("w900.webp",),
            watermark_text=HANDLE,
        )
        box, strength = changed(opened(source), picture_of(made, "w900.webp"))
        assert box is not None
        return box[3] - box[1], strength

    usual = look(WatermarkPolicy())
    assert look(WatermarkPolicy(height_bps=700))[0] > 1.6 * usual[0]
    assert look(WatermarkPolicy(opacity_bps=4000))[1] < 0.7 * usual[1]


@pytest.mark.parametrize(("width", "height"), [(700, 60), (2000, 40), (641, 5000), (640, 1)])
def test_odd_shapes_and_long_handles_fit(
    rendered: Renderer, tmp_path: Path, width: int, height: int
) -> None:
    source = tmp_path / "strip.png"
    scene(width, height).save(source)
    made = rendered(source, watermark_text="@a_very_long_handle_for_a_very_long_name_indeed")
    assert made.renditions[0].width == width


def test_a_handle_lies_on_see_through_pictures_too(rendered: Renderer, tmp_path: Path) -> None:
    source = tmp_path / "clear.png"
    Image.new("RGBA", (900, 700), (0, 0, 0, 0)).save(source)
    made = rendered(source, only=("w900.webp",), watermark_text=HANDLE)
    alpha = opened(made.renditions[0].path).getchannel("A")
    box = alpha.getbbox()
    assert box is not None and box[0] > 450 and box[1] > 550


# --- blur ------------------------------------------------------------------------------------


def blur_of(rendered: Renderer, picture: Image.Image, folder: Path, name: str) -> Image.Image:
    source = folder / name
    picture.save(source)
    return picture_of(rendered(source, only=("blur.jpg",)), "blur.jpg")


def test_a_blur_preview_tells_no_text_from_another(rendered: Renderer, tmp_path: Path) -> None:
    one = blur_of(rendered, lettering("PIN 4711 KEY", 1200, 800, 120), tmp_path, "a.png")
    two = blur_of(rendered, lettering("YES 8052 RUN", 1200, 800, 120), tmp_path, "b.png")
    difference = ImageChops.difference(one, two).convert("L")
    # The originals differ by black against white.
    assert ImageStat.Stat(difference).mean[0] < 8
    assert float(difference.getextrema()[1]) < 40  # type: ignore[arg-type]


def test_a_blur_preview_holds_no_more_detail_than_a_few_pixels(
    rendered: Renderer, tmp_path: Path
) -> None:
    """Shrunk to 16 pixels across and enlarged again it is the same: nothing finer is in it."""
    checks = Image.new("RGB", (1280, 960))
    draw = ImageDraw.Draw(checks)
    for x in range(0, 1280, 40):
        for y in range(0, 960, 40):
            if (x + y) // 40 % 2:
                draw.rectangle((x, y, x + 39, y + 39), fill=(255, 255, 255))
    for number, picture in enumerate((checks, scene(1280, 960), lettering("Ag", 1280, 960, 300))):
        blur = blur_of(rendered, picture, tmp_path, f"{number}.png")
        coarse = blur.resize((16, 12), Image.Resampling.LANCZOS).resize(
            blur.size, Image.Resampling.BICUBIC
        )
        difference = ImageChops.difference(blur, coarse).convert("L")
        assert ImageStat.Stat(difference).rms[0] < 4, number


def test_a_blur_preview_is_tiny_but_keeps_the_mood(rendered: Renderer, tmp_path: Path) -> None:
    picture = Image.new("RGB", (1000, 800), (200, 60, 40))
    picture.paste((40, 60, 200), (500, 0, 1000, 800))
    source = tmp_path / "halves.png"
    picture.save(source)
    for file in rendered(source, only=("blur.jpg", "blur.webp")).renditions:
        assert (file.width, file.height) == (64, 51)
        assert file.bytes < 3000
        left = opened(file.path).convert("RGB").getpixel((4, 25))
        right = opened(file.path).convert("RGB").getpixel((60, 25))
        assert isinstance(left, tuple) and isinstance(right, tuple)
        assert left[0] > left[2] + 80 and right[2] > right[0] + 80


# --- thumbnail -------------------------------------------------------------------------------


def test_the_thumbnail_goes_where_something_is_to_be_seen(
    rendered: Renderer, tmp_path: Path
) -> None:
    picture = Image.new("RGB", (1800, 600), (225, 225, 228))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((1350, 150, 1650, 450), fill=(220, 60, 30))
    draw.text((1420, 260), "fox", fill=(20, 20, 20), font=ImageFont.load_default(90))
    source = tmp_path / "wide.png"
    picture.save(source)
    thumbnail = picture_of(rendered(source, only=("thumb.jpg",)), "thumb.jpg")
    assert thumbnail.size == (256, 256)
    pixels = thumbnail.tobytes()
    reds = sum(
        red > 150 and green < 110 for red, green in zip(pixels[::3], pixels[1::3], strict=True)
    )
    assert reds > 5000


def test_a_policy_without_a_watermark_width_marks_all_sizes(
    rendered: Renderer, tmp_path: Path
) -> None:
    source = tmp_path / "photo.jpg"
    scene(500, 400).save(source)
    policy = replace(ImagePolicy(), watermark=WatermarkPolicy(width_min=1))
    marked = rendered(source, policy=policy, only=("w320.jpg",), watermark_text=HANDLE)
    plain = rendered(source, policy=policy, only=("w320.jpg",))
    assert changed(picture_of(plain, "w320.jpg"), picture_of(marked, "w320.jpg"))[0] is not None
