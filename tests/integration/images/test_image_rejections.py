"""What is refused, why, and that it costs little; what may look odd and is taken all the same."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pyvips
from PIL import Image

from domain.errors import MediaRejected
from domain.media.images import ImagePolicy
from domain.media.rejections import RejectionCode
from infra.images import render
from infra.sandbox import (
    ChildCancelled,
    ChildOutOfMemory,
    ChildTimedOut,
    Usage,
    Zygote,
)
from tests.integration.images.conftest import Renderer
from tests.integration.images.pictures import animation, bytes_of, opened, png_header, scene

POLICY = ImagePolicy()


def rejection(rendered: Renderer, source: Path, policy: ImagePolicy = POLICY) -> MediaRejected:
    with pytest.raises(MediaRejected) as caught:
        rendered(source, policy=policy)
    return caught.value


@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "tif", "gif", "bmp", "jp2", "avif"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_half_a_file_is_corrupt(
    rendered: Renderer, tmp_path: Path, extension: str, share: float
) -> None:
    whole = bytes_of(lambda file: scene(900, 700).save(file, format(extension)))
    source = tmp_path / f"half.{extension}"
    source.write_bytes(whole[: int(len(whole) * share)])
    assert rejection(rendered, source).reason is RejectionCode.CORRUPT_MEDIA


def format(extension: str) -> str:
    return {"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}.get(extension, extension.upper())


@pytest.mark.parametrize("extension", ["heic", "jxl"])
def test_half_a_file_of_a_newer_kind_is_corrupt(
    rendered: Renderer, tmp_path: Path, extension: str
) -> None:
    import pillow_heif
    import pillow_jxl  # noqa: F401

    whole = tmp_path / f"whole.{extension}"
    if extension == "heic":
        pillow_heif.from_pillow(scene(900, 700)).save(whole)
    else:
        scene(900, 700).save(whole)
    source = tmp_path / f"half.{extension}"
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert rejection(rendered, source).reason is RejectionCode.CORRUPT_MEDIA


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("image/jpeg", b"\xff\xd8\xff\xe0" + bytes(500)),
        ("image/png", b"\x89PNG\r\n\x1a\n" + bytes(500)),
        ("image/gif", b"GIF89a" + bytes(500)),
        ("image/webp", b"RIFF\x00\x02\x00\x00WEBPVP8 " + bytes(500)),
        ("image/tiff", b"II*\x00\x08\x00\x00\x00" + bytes(500)),
        ("image/bmp", b"BM" + bytes(12) + b"\x28" + bytes(500)),
        ("image/jxl", b"\xff\x0a" + bytes(500)),
        ("image/jp2", b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(500)),
        ("image/avif", b"\x00\x00\x00\x18ftypavif" + bytes(500)),
        ("image/heic", b"\x00\x00\x00\x18ftypheic" + bytes(500)),
        ("image/heif", b"\x00\x00\x00\x18ftypmif1" + bytes(500)),
        ("image/apng", b"\x89PNG\r\n\x1a\n" + bytes(500)),
        ("image/heic-sequence", b"\x00\x00\x00\x18ftyphevc" + bytes(500)),
    ],
)
def test_a_signature_alone_is_no_picture(
    rendered: Renderer, tmp_path: Path, content_type: str, body: bytes
) -> None:
    source = tmp_path / "signature"
    source.write_bytes(body)
    with pytest.raises(MediaRejected) as caught:
        rendered(source, content_type=content_type)
    assert caught.value.reason in (
        RejectionCode.CORRUPT_MEDIA,
        RejectionCode.UNSUPPORTED_CODEC,
    )
    assert caught.value.facts["decoder"]


@pytest.mark.parametrize(
    "content_type",
    ["image/svg+xml", "application/pdf", "image/vnd.adobe.photoshop", "image/x-icon", "x/y"],
)
def test_kinds_without_a_decoder_of_ours_are_refused_unread(
    rendered: Renderer, tmp_path: Path, content_type: str
) -> None:
    source = tmp_path / "file"
    source.write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    with pytest.raises(MediaRejected) as caught:
        rendered(source, content_type=content_type)
    assert caught.value.reason is RejectionCode.UNSUPPORTED_TYPE


@pytest.mark.parametrize("content_type", ["image/jpeg", "image/png", "image/tiff", "image/bmp"])
def test_content_is_given_to_no_other_decoder_than_its_types_own(
    rendered: Renderer, tmp_path: Path, content_type: str
) -> None:
    """An SVG passed off as something else meets no SVG renderer."""
    source = tmp_path / "drawing"
    source.write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'></svg>")
    with pytest.raises(MediaRejected) as caught:
        rendered(source, content_type=content_type)
    assert caught.value.reason is RejectionCode.CORRUPT_MEDIA


def test_a_bomb_is_refused_by_its_header_before_memory_is_taken(
    zygote: Zygote, tmp_path: Path
) -> None:
    source = tmp_path / "bomb.png"
    source.write_bytes(png_header(60_000, 60_000))
    used: list[Usage] = []
    with pytest.raises(MediaRejected) as caught:
        render(
            zygote,
            source=source,
            out_dir=tmp_path,
            policy=POLICY,
            watermark_text=None,
            content_type="image/png",
            on_usage=used.append,
        )
    assert caught.value.reason is RejectionCode.DECOMPRESSION_BOMB
    assert caught.value.facts["pixels"] == 60_000**2
    assert caught.value.facts["pixels_max"] == POLICY.pixels_max
    assert used[0].memory_peak_bytes < 100 * 2**20
    assert used[0].cpu_seconds < 2


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.gif", "a.tif", "a.bmp", "a.jp2", "a.avif"])
def test_the_limit_on_pixels_holds_for_every_decoder(
    rendered: Renderer, tmp_path: Path, name: str
) -> None:
    source = tmp_path / name
    scene(101, 100).save(source)
    policy = replace(POLICY, pixels_max=100 * 100)
    assert rejection(rendered, source, policy).reason is RejectionCode.DECOMPRESSION_BOMB
    assert rendered(source, policy=replace(POLICY, pixels_max=101 * 100)).width == 101


@pytest.mark.parametrize("name", ["a.heic", "a.jxl"])
def test_the_limit_on_pixels_holds_for_newer_kinds(
    rendered: Renderer, tmp_path: Path, name: str
) -> None:
    import pillow_heif
    import pillow_jxl  # noqa: F401

    source = tmp_path / name
    picture = scene(128, 100)
    if name.endswith("heic"):
        pillow_heif.from_pillow(picture).save(source)
    else:
        picture.save(source)
    policy = replace(POLICY, pixels_max=100 * 100)
    assert rejection(rendered, source, policy).reason is RejectionCode.DECOMPRESSION_BOMB


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.avif"])
def test_an_animation_over_its_limits_is_refused_not_cut(
    rendered: Renderer, tmp_path: Path, name: str
) -> None:
    source = animation(tmp_path / name, size=(64, 64), delays_ms=[50] * 6, loops=0)
    few = replace(POLICY, frames_max=5)
    assert rejection(rendered, source, few).reason is RejectionCode.TOO_MANY_FRAMES
    small = replace(POLICY, pixels_max=5 * 64 * 64)
    caught = rejection(rendered, source, small)
    assert caught.reason is RejectionCode.DECOMPRESSION_BOMB
    assert caught.facts["frames"] == 6


def test_a_picture_that_needs_more_memory_than_allowed_is_out_of_memory(
    rendered: Renderer, tmp_path: Path
) -> None:
    small, large = tmp_path / "small.gif", tmp_path / "large.gif"
    Image.new("P", (64, 64)).save(small)
    Image.new("P", (5000, 5000)).save(large)
    tight = replace(POLICY, memory_bytes_max=256 * 2**20)
    assert rendered(small, policy=tight).width == 64
    assert rendered(large, only=("thumb.jpg",)).width == 5000
    with pytest.raises(ChildOutOfMemory):
        rendered(large, policy=tight, only=("thumb.jpg",))


def test_a_picture_that_needs_more_time_than_allowed_is_timed_out(
    rendered: Renderer, tmp_path: Path
) -> None:
    source = tmp_path / "slow.png"
    Image.effect_noise((2400, 1600), 90).convert("RGB").save(source, compress_level=1)
    with pytest.raises(ChildTimedOut):
        rendered(source, policy=replace(POLICY, seconds_max=1, webp_effort=6))


def test_a_render_can_be_cancelled(zygote: Zygote, tmp_path: Path) -> None:
    import threading

    source = tmp_path / "slow.jpg"
    scene(3000, 2000).save(source)
    cancel = threading.Event()
    threading.Timer(0.2, cancel.set).start()
    began = time.monotonic()
    with pytest.raises(ChildCancelled):
        render(
            zygote,
            source=source,
            out_dir=tmp_path,
            policy=replace(POLICY, avif=True, avif_effort=9),
            watermark_text=None,
            content_type="image/jpeg",
            cancel=cancel,
        )
    assert time.monotonic() - began < 2


def test_bytes_after_the_end_of_a_photo_do_no_harm(rendered: Renderer, tmp_path: Path) -> None:
    """Phones append videos and gain maps to their photos."""
    source = tmp_path / "motion.jpg"
    scene(400, 300).save(source)
    source.write_bytes(source.read_bytes() + b"\xff\xd8\xff\xe1" + os.urandom(20_000))
    assert rendered(source).width == 400


@pytest.mark.parametrize("is_progressive", [False, True])
def test_a_jpeg_that_lacks_only_its_end_marker_is_shown(
    rendered: Renderer, tmp_path: Path, is_progressive: bool
) -> None:
    """Every viewer shows it whole; one that lacks a few bytes of its picture does not pass."""
    whole = bytes_of(lambda file: scene(900, 700).save(file, "JPEG", progressive=is_progressive))
    source = tmp_path / "endless.jpg"
    for cut in (1, 2):
        source.write_bytes(whole[:-cut])
        assert rendered(source, only=("thumb.jpg",)).width == 900
    source.write_bytes(whole[:-40])
    assert rejection(rendered, source).reason is RejectionCode.CORRUPT_MEDIA


def giant_jpeg() -> bytes:
    """A JPEG that claims 65,000 by 65,000 pixels in its frame header (ITU T.81 §B.2.2)."""
    whole = bytearray(bytes_of(lambda file: scene(64, 64).save(file, "JPEG")))
    at = whole.index(b"\xff\xc0") + 5
    whole[at : at + 4] = (65_000).to_bytes(2, "big") * 2
    return bytes(whole)


@pytest.mark.parametrize(
    ("name", "body"),
    [("a.jpg", giant_jpeg()), ("a.png", png_header(65_536, 65_536))],
    ids=["jpeg", "png"],
)
def test_a_size_that_overflows_32_bits_is_a_bomb(
    rendered: Renderer, tmp_path: Path, name: str, body: bytes
) -> None:
    source = tmp_path / name
    source.write_bytes(body)
    assert rejection(rendered, source).reason is RejectionCode.DECOMPRESSION_BOMB


def deep_grey_with_alpha(path: Path) -> None:
    ramp = pyvips.Image.xyz(300, 200)[0] * 200
    both = ramp.bandjoin(ramp.invert()).cast("ushort").copy(interpretation="grey16")
    both.write_to_file(str(path))


ODD: dict[str, Callable[[Path], object]] = {
    "grey-alpha-16-bits.png": deep_grey_with_alpha,
    "nothing-to-see.png": Image.new("RGBA", (200, 100)).save,
    "one-pixel.gif": Image.new("P", (1, 1)).save,
    "tower.webp": lambda path: scene(20, 16_383).save(path),
    "see-through.gif": lambda path: Image.new("P", (90, 60)).save(path, transparency=0),
    "cmyk-bare.tif": Image.new("CMYK", (80, 50), (20, 200, 30, 0)).save,
}


@pytest.mark.parametrize("name", ODD)
def test_odd_pictures_are_shown(rendered: Renderer, tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    ODD[name](source)
    made = rendered(source)
    for file in made.renditions:
        assert opened(file.path).size == (file.width, file.height)
