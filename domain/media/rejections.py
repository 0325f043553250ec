"""Why a file was refused, as a stable code and a sentence for the creator."""

from __future__ import annotations

from enum import StrEnum


class RejectionCode(StrEnum):
    """Reason codes of the state `rejected`. Codes are part of the API: never rename one."""

    INFECTED = "infected"
    SIZE_MISMATCH = "size_mismatch"
    HASH_MISMATCH = "hash_mismatch"
    EMPTY_FILE = "empty_file"
    TYPE_MISMATCH = "type_mismatch"
    UNSUPPORTED_TYPE = "unsupported_type"
    UNSUPPORTED_CODEC = "unsupported_codec"
    CORRUPT_MEDIA = "corrupt_media"
    DECOMPRESSION_BOMB = "decompression_bomb"
    TOO_MANY_FRAMES = "too_many_frames"
    TOO_MANY_STREAMS = "too_many_streams"
    TOO_LONG = "too_long"
    TOO_EXPENSIVE = "too_expensive"
    NO_MEDIA_STREAMS = "no_media_streams"
    BLOCKED_CONTENT = "blocked_content"

    @property
    def sentence(self) -> str:
        """What to tell the creator: what happened and what they can do."""
        return _SENTENCES[self]

    @property
    def forbids_serving(self) -> bool:
        """Of this content nothing may be served, not even what was published of it before."""
        return self in (RejectionCode.INFECTED, RejectionCode.BLOCKED_CONTENT)


_SENTENCES: dict[RejectionCode, str] = {
    RejectionCode.INFECTED: (
        "A virus scan found malware in this file. Clean the device it came from, then upload "
        "a fresh export."
    ),
    RejectionCode.SIZE_MISMATCH: (
        "The file that arrived has another size than announced. Upload it again."
    ),
    RejectionCode.HASH_MISMATCH: (
        "The file that arrived differs from the one announced (SHA-256). Upload it again."
    ),
    RejectionCode.EMPTY_FILE: "The file is empty. Export it again and upload that copy.",
    RejectionCode.TYPE_MISMATCH: (
        "The file's content is not of the kind announced. Choose the matching kind and upload "
        "it again."
    ),
    RejectionCode.UNSUPPORTED_TYPE: (
        "This kind of file is not accepted. Use JPEG, PNG, WebP, HEIC, AVIF, GIF or TIFF for "
        "images; MP4, MOV, MKV or WebM for video; MP3, M4A, FLAC, WAV or OGG for audio."
    ),
    RejectionCode.UNSUPPORTED_CODEC: (
        "The file is encoded in a way we can't decode. Export it as H.264 or HEVC video, AAC "
        "audio, or a JPEG image, and upload that copy."
    ),
    RejectionCode.CORRUPT_MEDIA: (
        "The file is damaged or incomplete. Export it again from the original and upload that copy."
    ),
    RejectionCode.DECOMPRESSION_BOMB: (
        "The picture unpacks to more pixels than allowed. Scale it down and upload it again."
    ),
    RejectionCode.TOO_MANY_FRAMES: (
        "The animation has more frames than allowed. Shorten it, or upload it as a video."
    ),
    RejectionCode.TOO_MANY_STREAMS: (
        "The file has more tracks than allowed. Export it with one video and one audio track."
    ),
    RejectionCode.TOO_LONG: "The recording is longer than allowed. Split it and upload the parts.",
    RejectionCode.TOO_EXPENSIVE: (
        "Decoding this file took more time or memory than allowed. Export it in a common "
        "format and a lower resolution, and upload that copy."
    ),
    RejectionCode.NO_MEDIA_STREAMS: (
        "The file has no picture or sound in it that can be shown. Check it in a player, "
        "export it again and upload that copy."
    ),
    RejectionCode.BLOCKED_CONTENT: (
        "This file matches content that may not be published here. If you believe this is a "
        "mistake, contact support with the media id."
    ),
}
