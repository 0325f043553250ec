"""What may be uploaded, and how it is cut into parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import Role
from domain.errors import AccessDenied, FansworldError, Invalid, TooLarge, UnsupportedType
from domain.media.sniffing import sniff
from domain.media.states import MediaKind, Purpose, Visibility
from domain.media.uploads import (
    MIB,
    PARTS_MAX,
    DeclaredFile,
    PartRules,
    Teaser,
    UploadLimits,
    check_declared,
    default_visibility,
    plan_parts,
)

LIMITS = UploadLimits(
    image_bytes_max=50 * MIB,
    audio_bytes_max=500 * MIB,
    video_bytes_max=10 * 1024 * MIB,
    avatar_bytes_max=10 * MIB,
    teaser_seconds_max=30,
    open_uploads_max=5,
    storage_bytes_max=100 * 1024 * MIB,
)
RULES = PartRules(single_put_bytes_max=16 * MIB, part_bytes_min=16 * MIB, part_bytes_max=64 * MIB)


def declared(
    content_type: str = "image/jpeg",
    *,
    name: str = "file",
    size: int = 1000,
    purpose: Purpose = Purpose.POST,
    kind: MediaKind | None = None,
    teaser: Teaser | None = None,
) -> DeclaredFile:
    return DeclaredFile(name, size, content_type, purpose, kind, teaser)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (declared("image/heic"), MediaKind.IMAGE),
        (declared("IMAGE/JPEG; charset=binary"), MediaKind.IMAGE),
        (declared("video/quicktime"), MediaKind.VIDEO),
        (declared("audio/flac"), MediaKind.AUDIO),
        (declared("application/octet-stream", name="HOLIDAY.MKV"), MediaKind.VIDEO),
        (declared("application/octet-stream", name="a.heic"), MediaKind.IMAGE),
        (declared("application/octet-stream", name="a", kind=MediaKind.AUDIO), MediaKind.AUDIO),
        (declared("video/mp4", kind=MediaKind.AUDIO), MediaKind.AUDIO),
        (declared("audio/webm", kind=MediaKind.VIDEO), MediaKind.VIDEO),
    ],
)
def test_the_kind_comes_from_the_declared_type(file: DeclaredFile, kind: MediaKind) -> None:
    assert check_declared(file, role=Role.CREATOR, limits=LIMITS) is kind


@pytest.mark.parametrize(
    ("file", "error", "code"),
    [
        (declared("image/svg+xml"), UnsupportedType, "unsupported_type"),
        (declared("application/pdf"), UnsupportedType, "unsupported_type"),
        (declared("application/octet-stream", name="a.exe"), UnsupportedType, "unsupported_type"),
        (declared("video/mp4", kind=MediaKind.IMAGE), Invalid, "kind_contradicts_type"),
        (declared("image/png", kind=MediaKind.VIDEO), Invalid, "kind_contradicts_type"),
        (declared("video/mp4", purpose=Purpose.AVATAR), Invalid, "purpose_needs_image"),
        (declared(size=50 * MIB + 1), TooLarge, "file_too_large"),
        (declared(size=10 * MIB + 1, purpose=Purpose.COVER), TooLarge, "file_too_large"),
        (declared(teaser=Teaser(0, 5)), Invalid, "teaser_needs_video"),
        (declared("video/mp4", teaser=Teaser(0, 31)), Invalid, "teaser_too_long"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_code(
    file: DeclaredFile, error: type[FansworldError], code: str
) -> None:
    with pytest.raises(error) as caught:
        check_declared(file, role=Role.CREATOR, limits=LIMITS)
    assert caught.value.code == code


HEADS = {
    "image/jpeg": b"\xff\xd8\xff\xe0",
    "image/gif": b"GIF89a",
    "image/jp2": b"\x00\x00\x00\x0cjP  \r\n\x87\n",
    "image/jxl": b"\xff\x0a",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/tiff": b"II*\x00",
    "image/bmp": b"BM" + bytes(12) + b"\x28\x00\x00\x00",
    "image/webp": b"RIFF\x00\x00\x00\x00WEBP",
    "image/avif": b"\x00\x00\x00\x1cftypavif" + bytes(4) + b"avifmif1",
    "image/heic": b"\x00\x00\x00\x18ftypheic" + bytes(4) + b"mif1",
    "video/mp4": b"\x00\x00\x00\x18ftypisom" + bytes(4) + b"mp42",
    "video/quicktime": b"\x00\x00\x00\x14ftypqt  " + bytes(4),
    "video/x-msvideo": b"RIFF\x00\x00\x00\x00AVI ",
    "audio/wav": b"RIFF\x00\x00\x00\x00WAVE",
    "audio/flac": b"fLaC",
    "audio/mp4": b"\x00\x00\x00\x18ftypM4A " + bytes(4) + b"mp42",
    "audio/ogg": b"OggS\x00\x02" + bytes(22) + b"OpusHead",
}


@pytest.mark.parametrize("content_type", HEADS)
def test_what_is_taken_by_content_may_also_be_announced(content_type: str) -> None:
    """Both lists of types have to stay together."""
    sniffed = sniff(HEADS[content_type])
    assert sniffed is not None
    assert (sniffed.content_type, sniffed.is_accepted) == (content_type, True)
    kind = check_declared(declared(content_type), role=Role.CREATOR, limits=LIMITS)
    assert kind is sniffed.kind


def test_a_size_refusal_states_the_limit() -> None:
    with pytest.raises(TooLarge) as caught:
        check_declared(declared(size=50 * MIB + 1), role=Role.CREATOR, limits=LIMITS)
    assert caught.value.facts["limit_bytes"] == 50 * MIB
    assert str(50 * MIB) in caught.value.message


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("purpose", list(Purpose))
def test_creators_publish_and_everybody_may_have_an_avatar(role: Role, purpose: Purpose) -> None:
    file = declared(purpose=purpose)
    if role is Role.CREATOR or purpose is Purpose.AVATAR:
        check_declared(file, role=role, limits=LIMITS)
    else:
        with pytest.raises(AccessDenied):
            check_declared(file, role=role, limits=LIMITS)


def test_what_a_creator_posts_is_private_until_they_say_otherwise() -> None:
    assert default_visibility(Purpose.POST) is Visibility.PRIVATE
    assert default_visibility(Purpose.MESSAGE) is Visibility.PRIVATE
    assert default_visibility(Purpose.AVATAR) is Visibility.PUBLIC


@given(st.integers(min_value=1, max_value=PARTS_MAX * 64 * MIB))
def test_parts_cover_every_byte_once_within_the_limits_of_s3(size_bytes: int) -> None:
    plan = plan_parts(size_bytes, RULES)
    sizes = [plan.bytes_of_part(1), plan.bytes_of_part(plan.part_count)]
    assert plan.part_bytes * (plan.part_count - 1) + sizes[1] == size_bytes
    assert 0 < sizes[1] <= plan.part_bytes
    assert plan.part_count <= PARTS_MAX
    if plan.multipart:
        assert size_bytes > RULES.single_put_bytes_max
        assert RULES.part_bytes_min <= plan.part_bytes <= RULES.part_bytes_max
        assert sizes[0] == plan.part_bytes
        assert plan.part_bytes % MIB == 0
    else:
        assert plan.part_count == 1
        assert size_bytes <= RULES.single_put_bytes_max


def test_a_file_of_16_mib_is_one_put_and_one_byte_more_is_two_parts() -> None:
    assert not plan_parts(16 * MIB, RULES).multipart
    plan = plan_parts(16 * MIB + 1, RULES)
    assert (plan.part_count, plan.bytes_of_part(2)) == (2, 1)


def test_more_than_ten_thousand_of_the_largest_parts_is_too_large() -> None:
    with pytest.raises(TooLarge):
        plan_parts(PARTS_MAX * 64 * MIB + 1, RULES)


@pytest.mark.parametrize("number", [0, -1, 3])
def test_a_part_that_the_plan_does_not_have_is_refused(number: int) -> None:
    with pytest.raises(Invalid) as caught:
        plan_parts(20 * MIB, RULES).bytes_of_part(number)
    assert caught.value.code == "part_unknown"
