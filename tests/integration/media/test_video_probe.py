"""What the probe says of files made by encoders, and of files made to mislead it."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from domain.errors import MediaRejected
from domain.media.rejections import RejectionCode
from domain.media.video import (
    SourceAudio,
    SourceVideo,
    VideoPolicy,
    grid_for,
    source_from_facts,
)
from tests.integration.media.video_clips import (
    FAST_H264,
    POLICY,
    ffmpeg,
    picture,
    probed,
    probed_video,
    tone,
)

MEDIA_DIR = os.environ.get("FANSWORLD_MEDIA_DIR")


def refusal(path: Path, folder: Path, policy: VideoPolicy = POLICY) -> RejectionCode:
    with pytest.raises(MediaRejected) as rejected:
        probed(path, folder, policy)
    return rejected.value.reason


def without_sound_codec(data: bytes) -> bytes:
    """The last audio entry of an MP4 header becomes one that nobody knows."""
    entry = data.rindex(b"mp4a\x00\x00\x00\x00")
    details = data.index(b"esds", entry)
    return data[:entry] + b"xxxx" + data[entry + 4 : details] + b"yyyy" + data[details + 4 :]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    ffmpeg(*picture(2, size="320x240"), *tone(2), *FAST_H264, "-g", "10", path)
    return path


def test_facts_of_a_plain_clip(clip: Path, tmp_path: Path) -> None:
    source = probed_video(clip, tmp_path)
    assert (source.width, source.height, source.frame_rate) == (320, 240, Fraction(25))
    assert (source.frame_count, source.duration_ms) == (50, 2000)
    assert source.audio is not None
    assert source.audio.duration_ms == pytest.approx(2000, abs=30)
    assert source.keyframe_period_frames == 10
    assert source.warnings == ()
    assert source_from_facts(source.as_facts()) == source


def test_a_promised_length_is_not_believed(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    ffmpeg(*picture(20, size="320x240"), *FAST_H264, "-movflags", "+faststart", whole)
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    source = probed_video(path, tmp_path)
    assert 8_000 < source.duration_ms < 12_000
    assert any("promises 20000 ms" in warning for warning in source.warnings)


def test_sound_that_outlasts_the_pictures_keeps_its_end(tmp_path: Path) -> None:
    path = tmp_path / "still.mp4"
    ffmpeg(*picture(0.04, size="320x240"), *tone(3), *FAST_H264, path)
    source = probed_video(path, tmp_path)
    assert source.duration_ms == pytest.approx(3000, abs=50)
    assert source.frame_count == 1


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    cover, path = tmp_path / "cover.jpg", tmp_path / "song.m4a"
    ffmpeg(*picture(0.04), "-frames:v", "1", cover)
    ffmpeg(
        *tone(1),
        *("-i", str(cover), "-map", "0", "-map", "1", "-c:v", "copy"),
        *("-disposition:v", "attached_pic", str(path)),
    )
    assert isinstance(probed(path, tmp_path), SourceAudio)


def test_the_default_track_that_decodes_is_chosen(tmp_path: Path, clip: Path) -> None:
    path = tmp_path / "tracks.mp4"
    ffmpeg(
        *("-i", str(clip), *tone(2, frequency=880), "-map", "0", "-map", "1", "-c:v", "copy"),
        *("-disposition:a:0", "0", "-disposition:a:1", "default"),
        *("-metadata:s:a:1", "language=deu", str(path)),
    )
    audio = probed_video(path, tmp_path).audio
    assert audio is not None
    assert (audio.stream_index, audio.language) == (2, "deu")
    path.write_bytes(without_sound_codec(path.read_bytes()))
    source = probed_video(path, tmp_path)
    assert source.audio is not None
    assert source.audio.stream_index == 1
    assert any("can't be decoded" in warning for warning in source.warnings)


def test_pictures_of_an_unknown_codec_are_refused_even_with_sound(
    tmp_path: Path, clip: Path
) -> None:
    path = tmp_path / "unknown.mp4"
    path.write_bytes(clip.read_bytes().replace(b"avc1\x00\x00\x00\x00", b"xxxx\x00\x00\x00\x00"))
    assert refusal(path, tmp_path) is RejectionCode.UNSUPPORTED_CODEC


def test_sound_alone_of_an_unknown_codec_is_refused(tmp_path: Path) -> None:
    song = tmp_path / "song.m4a"
    ffmpeg(*tone(1), song)
    song.write_bytes(without_sound_codec(song.read_bytes()))
    assert refusal(song, tmp_path) is RejectionCode.UNSUPPORTED_CODEC


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n",
        "ffconcat version 1.0\nfile clip.mp4\n",
        "[playlist]\nFile1=http://127.0.0.1:9/x\n",
        "<svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
)
def test_scripts_in_the_clothes_of_a_video_are_refused(
    tmp_path: Path, clip: Path, text: str
) -> None:
    path = clip.with_name("script.mp4")
    path.write_text(text)
    assert refusal(path, tmp_path) in (
        RejectionCode.UNSUPPORTED_TYPE,
        RejectionCode.CORRUPT_MEDIA,
    )


def test_a_header_without_data_is_corrupt(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    ffmpeg(*picture(2), *FAST_H264, "-movflags", "+faststart", whole)
    data = whole.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 4])
    assert refusal(path, tmp_path) is RejectionCode.CORRUPT_MEDIA


def test_random_bytes_are_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "noise.mp4"
    path.write_bytes(bytes((index * 7919) % 251 for index in range(50_000)))
    assert refusal(path, tmp_path) is RejectionCode.CORRUPT_MEDIA


def test_a_file_of_text_tracks_alone_has_nothing_to_show(tmp_path: Path) -> None:
    text, path = tmp_path / "text.srt", tmp_path / "text.mp4"
    text.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    ffmpeg("-i", text, "-c:s", "mov_text", path)
    assert refusal(path, tmp_path) is RejectionCode.NO_MEDIA_STREAMS


def test_limits_of_the_policy_have_reasons_of_their_own(clip: Path, tmp_path: Path) -> None:
    short, small, lone = (
        replace(POLICY, duration_seconds_max=1),
        replace(POLICY, pixels_max=10_000),
        replace(POLICY, streams_max=1),
    )
    assert refusal(clip, tmp_path, short) is RejectionCode.TOO_LONG
    assert refusal(clip, tmp_path, small) is RejectionCode.DECOMPRESSION_BOMB
    assert refusal(clip, tmp_path, lone) is RejectionCode.TOO_MANY_STREAMS


def test_a_long_recording_is_refused_by_its_own_limit(tmp_path: Path) -> None:
    path = tmp_path / "song.flac"
    ffmpeg(*tone(3), path)
    short = replace(POLICY, audio_duration_seconds_max=2)
    assert refusal(path, tmp_path, short) is RejectionCode.TOO_LONG
    assert isinstance(probed(path, tmp_path, replace(POLICY, duration_seconds_max=2)), SourceAudio)


def test_a_missing_file_is_no_corrupt_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        probed(tmp_path / "nowhere.mp4", tmp_path)


def test_milliseconds_of_matroska_still_tell_the_exact_rate(tmp_path: Path) -> None:
    path = tmp_path / "ntsc.mkv"
    ffmpeg(*picture(3, rate="60000/1001"), *FAST_H264, path)
    source = probed_video(path, tmp_path)
    assert grid_for(source, POLICY).frame_rate == Fraction(60000, 1001)
    assert not source.variable_frame_rate


if MEDIA_DIR is not None:
    _FILES = sorted(each for kind in ("video", "audio") for each in Path(MEDIA_DIR, kind).iterdir())

    @pytest.mark.parametrize("path", _FILES, ids=[path.name for path in _FILES])
    def test_what_a_player_shows_is_not_refused(path: Path, tmp_path: Path) -> None:
        """One has a codec that no common build decodes, of the other only the header is left."""
        try:
            assert isinstance(probed(path, tmp_path), SourceVideo | SourceAudio)
        except MediaRejected as rejected:
            assert (path.name, rejected.reason) in {
                ("sample_vvc.mp4", RejectionCode.UNSUPPORTED_CODEC),
                ("large_stbl_truncated_after_moov.m4b", RejectionCode.CORRUPT_MEDIA),
            }
