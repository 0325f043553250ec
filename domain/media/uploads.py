"""What may be uploaded, by whom, how large, and in which pieces.

Everything here is decided before a byte is sent; what arrives is judged again by its content.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from domain.accounts import Role
from domain.errors import AccessDenied, Invalid, TooLarge, UnsupportedType
from domain.media.states import MediaKind, Purpose, Visibility

MIB = 1024 * 1024
PARTS_MAX = 10_000
"""S3's limit on the parts of one multipart upload."""
_PARTS_AIMED_AT = 256
"""Few enough that presigning is cheap, many enough that a resumed upload repeats little."""

_TYPES_OF_KIND: dict[MediaKind, frozenset[str]] = {
    MediaKind.IMAGE: frozenset(
        {
            "image/jpeg",
            "image/jpg",
            "image/png",
            "image/apng",
            "image/webp",
            "image/heic",
            "image/heif",
            "image/heic-sequence",
            "image/heif-sequence",
            "image/avif",
            "image/gif",
            "image/tiff",
            "image/jp2",
            "image/jxl",
            "image/bmp",
            "image/x-bmp",
            "image/x-ms-bmp",
        }
    ),
    MediaKind.VIDEO: frozenset(
        {
            "video/mp4",
            "video/x-m4v",
            "video/quicktime",
            "video/webm",
            "video/x-matroska",
            "video/matroska",
            "video/x-msvideo",
            "video/avi",
            "video/3gpp",
            "video/3gpp2",
            "video/mp2t",
            "video/ogg",
        }
    ),
    MediaKind.AUDIO: frozenset(
        {
            "audio/mpeg",
            "audio/mp3",
            "audio/mp4",
            "audio/m4a",
            "audio/x-m4a",
            "audio/aac",
            "audio/x-aac",
            "audio/aacp",
            "audio/flac",
            "audio/x-flac",
            "audio/wav",
            "audio/x-wav",
            "audio/wave",
            "audio/vnd.wave",
            "audio/ogg",
            "audio/opus",
            "audio/webm",
            "audio/matroska",
            "audio/x-matroska",
            "application/ogg",
        }
    ),
}
_KIND_OF_TYPE = {name: kind for kind, names in _TYPES_OF_KIND.items() for name in names}

_SUFFIXES_OF_KIND: dict[MediaKind, str] = {
    MediaKind.IMAGE: ".jpg .jpeg .png .webp .heic .heif .avif .gif .tif .tiff .jp2 .jxl .bmp",
    MediaKind.VIDEO: ".mp4 .m4v .mov .webm .mkv .avi .3gp .3g2 .ts .ogv",
    MediaKind.AUDIO: ".mp3 .m4a .m4b .aac .flac .wav .ogg .oga .opus .mka",
}
_KIND_OF_SUFFIX = {
    suffix: kind for kind, suffixes in _SUFFIXES_OF_KIND.items() for suffix in suffixes.split()
}
_UNKNOWN_TYPES = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""What clients send when they can't tell; the kind then comes from `kind` or the file name."""

_PICTURE_PURPOSES = frozenset({Purpose.AVATAR, Purpose.COVER})


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Bytes that one file may have, and bytes and uploads that one account may hold."""

    image_bytes_max: int
    audio_bytes_max: int
    video_bytes_max: int
    avatar_bytes_max: int
    teaser_seconds_max: int
    open_uploads_max: int
    storage_bytes_max: int

    def bytes_max(self, kind: MediaKind, purpose: Purpose) -> int:
        if purpose in _PICTURE_PURPOSES:
            return self.avatar_bytes_max
        match kind:
            case MediaKind.IMAGE:
                return self.image_bytes_max
            case MediaKind.AUDIO:
                return self.audio_bytes_max
            case MediaKind.VIDEO:
                return self.video_bytes_max


@dataclass(frozen=True, slots=True)
class Teaser:
    """The part of a video that anyone may see."""

    start_seconds: float
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class DeclaredFile:
    """What a client says about the file that it is about to send."""

    file_name: str
    size_bytes: int
    content_type: str
    purpose: Purpose
    kind: MediaKind | None = None
    teaser: Teaser | None = None


def check_declared(file: DeclaredFile, *, role: Role, limits: UploadLimits) -> MediaKind:
    """The kind of an acceptable file.

    Raises:
        AccessDenied: the role may not upload for this purpose.
        UnsupportedType: the declared type is not one that we can make renditions of.
        Invalid: the declarations contradict each other.
        TooLarge: states the limit.
    """
    check_role(role, file.purpose)
    kind = _kind_of(file)
    if file.purpose in _PICTURE_PURPOSES and kind is not MediaKind.IMAGE:
        raise Invalid(
            f"An {file.purpose.value} must be an image, not {kind.value}.",
            code="purpose_needs_image",
            purpose=file.purpose.value,
            kind=kind.value,
        )
    limit = limits.bytes_max(kind, file.purpose)
    if file.size_bytes > limit:
        raise TooLarge(
            f"The file has {file.size_bytes} bytes; {kind.value} files for the purpose "
            f"{file.purpose.value} may have up to {limit} bytes.",
            code="file_too_large",
            size_bytes=file.size_bytes,
            limit_bytes=limit,
        )
    if file.teaser is not None:
        _check_teaser(file.teaser, kind=kind, limits=limits)
    return kind


def check_role(role: Role, purpose: Purpose) -> None:
    """Creators publish; everybody may have an avatar."""
    if purpose is Purpose.AVATAR or role is Role.CREATOR:
        return
    raise AccessDenied(
        f"Only creators may upload for the purpose {purpose.value}.",
        code="creators_only",
        purpose=purpose.value,
    )


def default_visibility(purpose: Purpose) -> Visibility:
    return Visibility.PUBLIC if purpose in _PICTURE_PURPOSES else Visibility.PRIVATE


def _kind_of(file: DeclaredFile) -> MediaKind:
    declared = file.content_type.partition(";")[0].strip().lower()
    if declared in _UNKNOWN_TYPES:
        suffix = PurePosixPath(file.file_name).suffix.lower()
        found = file.kind or _KIND_OF_SUFFIX.get(suffix)
    else:
        found = _KIND_OF_TYPE.get(declared)
    if found is None:
        raise UnsupportedType(
            f"Files of type {declared or 'unknown'} are not accepted. Send JPEG, PNG, WebP, HEIC, "
            "AVIF, GIF or TIFF images; MP4, MOV, MKV, WebM or AVI video; MP3, M4A, AAC, FLAC, WAV, "
            "Ogg or Opus audio.",
            content_type=declared,
        )
    if file.kind is not None and not _may_be(found, file.kind):
        raise Invalid(
            f"The type {declared} is {found.value}, but the kind given is {file.kind.value}.",
            code="kind_contradicts_type",
            kind=file.kind.value,
            content_type=declared,
        )
    return file.kind or found


def _may_be(found: MediaKind, kind: MediaKind) -> bool:
    """Containers of audio and of video are often the same, so either may be meant."""
    return found is kind or MediaKind.IMAGE not in (found, kind)


def _check_teaser(teaser: Teaser, *, kind: MediaKind, limits: UploadLimits) -> None:
    if kind is not MediaKind.VIDEO:
        raise Invalid(
            f"Only a video can have a teaser, this is {kind.value}.",
            code="teaser_needs_video",
            kind=kind.value,
        )
    if teaser.duration_seconds > limits.teaser_seconds_max:
        raise Invalid(
            f"A teaser may last up to {limits.teaser_seconds_max} s.",
            code="teaser_too_long",
            duration_seconds=teaser.duration_seconds,
            limit_seconds=limits.teaser_seconds_max,
        )


@dataclass(frozen=True, slots=True)
class PartRules:
    """Sizes in bytes that decide how a file is cut."""

    single_put_bytes_max: int
    part_bytes_min: int
    part_bytes_max: int


@dataclass(frozen=True, slots=True)
class PartPlan:
    """`part_count` parts of `part_bytes`, of which the last may be shorter."""

    size_bytes: int
    part_bytes: int
    part_count: int

    @property
    def multipart(self) -> bool:
        """What fits one part is sent by one PUT."""
        return self.part_count > 1

    def bytes_of_part(self, number: int) -> int:
        """Parts count from 1."""
        if not 1 <= number <= self.part_count:
            raise Invalid(
                f"There is no part {number}; this upload has parts 1 to {self.part_count}.",
                code="part_unknown",
                part=number,
                part_count=self.part_count,
            )
        if number < self.part_count:
            return self.part_bytes
        return self.size_bytes - self.part_bytes * (self.part_count - 1)


def plan_parts(size_bytes: int, rules: PartRules) -> PartPlan:
    """Cut a file: one PUT if it is small, else equal parts of whole MiB.

    Raises:
        TooLarge: if even the largest parts would be more than `PARTS_MAX`.
    """
    if size_bytes <= rules.single_put_bytes_max:
        return PartPlan(size_bytes, part_bytes=size_bytes, part_count=1)
    aimed = _round_up(_parts_of(size_bytes, _PARTS_AIMED_AT), MIB)
    part_bytes = min(max(aimed, rules.part_bytes_min), rules.part_bytes_max, size_bytes)
    count = _parts_of(size_bytes, part_bytes)
    if count > PARTS_MAX:
        raise TooLarge(
            f"The file would need {count} parts; storage takes up to {PARTS_MAX}.",
            code="file_too_large",
            size_bytes=size_bytes,
            limit_bytes=rules.part_bytes_max * PARTS_MAX,
        )
    return PartPlan(size_bytes, part_bytes=part_bytes, part_count=count)


def _parts_of(size_bytes: int, part_bytes: int) -> int:
    return -(-size_bytes // part_bytes)


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step
