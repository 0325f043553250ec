"""Which renditions a picture gets."""

from __future__ import annotations

import pytest

from domain.media.images import (
    SIDE_MAX,
    ImagePolicy,
    poster_renditions_for,
    renditions_for,
    sizes_for,
)
from domain.media.states import RenditionKind

POLICY = ImagePolicy()


@pytest.mark.parametrize(
    ("width", "height", "sizes"),
    [
        (4000, 3000, [(2048, 1536), (1440, 1080), (960, 720), (640, 480), (320, 240)]),
        (2048, 1024, [(2048, 1024), (1440, 720), (960, 480), (640, 320), (320, 160)]),
        (1500, 1000, [(1500, 1000), (1440, 960), (960, 640), (640, 427), (320, 213)]),
        (641, 1, [(641, 1), (640, 1), (320, 1)]),
        (320, 500, [(320, 500)]),
        (1, 1, [(1, 1)]),
        (100_000, 10, [(2048, 1), (1440, 1), (960, 1), (640, 1), (320, 1)]),
        (100, 40_000, [(41, SIDE_MAX)]),
    ],
)
def test_widths_step_down_from_the_pictures_own_and_are_never_enlarged(
    width: int, height: int, sizes: list[tuple[int, int]]
) -> None:
    assert list(sizes_for(POLICY, width=width, height=height)) == sizes


def test_every_size_is_there_as_webp_and_jpeg_with_thumbnail_and_blur() -> None:
    names = [plan.name for plan in renditions_for(POLICY, width=700, height=500)]
    assert names == [
        *("w700.webp", "w700.jpg", "w640.webp", "w640.jpg", "w320.webp", "w320.jpg"),
        *("thumb.webp", "thumb.jpg", "blur.webp", "blur.jpg"),
    ]


def test_only_wide_renditions_carry_a_watermark_and_no_small_one() -> None:
    plans = renditions_for(POLICY, width=3000, height=2000)
    marked = {plan.name.partition(".")[0] for plan in plans if plan.is_watermarked}
    assert marked == {"w640", "w960", "w1440", "w2048"}


def test_avif_is_made_where_asked_for_and_wide_enough_but_not_of_animations() -> None:
    policy = ImagePolicy(avif=True)
    still = {p.name for p in renditions_for(policy, width=960, height=600)}
    moving = {p.name for p in renditions_for(policy, width=960, height=600, frames=2)}
    assert {name for name in still if name.endswith("avif")} == {"w960.avif", "w640.avif"}
    assert still - moving == {"w960.avif", "w640.avif"}


def test_single_renditions_can_be_asked_for_by_name() -> None:
    plans = renditions_for(POLICY, width=700, height=500, only={"w640.webp", "blur.jpg", "x"})
    assert [(plan.name, plan.content_type) for plan in plans] == [
        ("w640.webp", "image/webp"),
        ("blur.jpg", "image/jpeg"),
    ]


@pytest.mark.parametrize(
    ("width", "height", "thumbnail", "blur"),
    [
        (4000, 3000, (256, 256), (64, 48)),
        (3000, 4000, (256, 256), (64, 85)),
        (100, 300, (100, 100), (64, 192)),
        (10, 10_000, (10, 10), (1, 256)),
        (1, 1, (1, 1), (1, 1)),
    ],
)
def test_previews_are_small_and_never_enlarged(
    width: int, height: int, thumbnail: tuple[int, int], blur: tuple[int, int]
) -> None:
    sizes = {
        p.name: (p.width, p.height) for p in renditions_for(POLICY, width=width, height=height)
    }
    assert (sizes["thumb.webp"], sizes["blur.jpg"]) == (thumbnail, blur)


def test_only_the_blurs_may_be_fetched_by_strangers() -> None:
    plans = [
        *renditions_for(POLICY, width=900, height=500),
        *poster_renditions_for(POLICY, width=900, height=500),
    ]
    public = {plan.name for plan in plans if plan.kind.is_public_preview}
    assert public == {"blur.webp", "blur.jpg", "poster_blur.webp", "poster_blur.jpg"}


def test_a_poster_has_the_frames_size_and_previews_of_its_own() -> None:
    plans = poster_renditions_for(POLICY, width=1280, height=720)
    assert [(p.name, p.kind, p.width, p.height) for p in plans][:2] == [
        ("poster.webp", RenditionKind.POSTER, 1280, 720),
        ("poster.jpg", RenditionKind.POSTER, 1280, 720),
    ]
    assert {p.kind for p in plans} == {
        RenditionKind.POSTER,
        RenditionKind.THUMBNAIL,
        RenditionKind.POSTER_BLUR,
    }
