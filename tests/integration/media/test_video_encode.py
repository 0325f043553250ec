"""Encodes of tiny clips, watched through their playlists."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from domain.errors import MediaRejected
from domain.media.rejections import RejectionCode
from domain.media.video import VideoPolicy, grid_for, ladder_for, may_copy, sample_every_frames
from infra.sandbox import ChildCancelled
from infra.video import EncodePlan, FinishedSegment, Watermark, encode_segments
from tests.integration.media.video_clips import (
    FAST_H264,
    POLICY,
    TOOLS,
    Encoded,
    encode,
    evenly,
    ffmpeg,
    ffprobe,
    picture,
    probed_video,
    tone,
    watch,
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10.4 s of 640×360 at 25 frames a second, with sound: two segments and a rest."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    ffmpeg(*picture(10.4, size="640x360"), *tone(10.4), *FAST_H264, "-bf", "2", "-g", "40", path)
    return path


@pytest.fixture(scope="module")
def encoded(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Encoded:
    """The clip as one range; tests only read it."""
    return encode(clip, tmp_path_factory.mktemp("encoded"))


def test_every_rung_plays_with_the_key_and_not_without(encoded: Encoded) -> None:
    assert list(encoded.segments) == ["240p", "360p"]
    assert encoded.order == [0, 1, 2]
    for name in encoded.segments:
        assert watch(encoded.playlist(name)) == pytest.approx(evenly(260, 25), abs=1e-4)
        with pytest.raises((subprocess.CalledProcessError, AssertionError)):
            watch(encoded.playlist(name, key=bytes(16)))
        with pytest.raises((subprocess.CalledProcessError, AssertionError)):
            watch(encoded.playlist(name, key=None))


def test_segments_of_all_rungs_start_at_the_same_times(encoded: Encoded) -> None:
    durations = {
        name: [segment.duration_seconds for segment in segments]
        for name, segments in encoded.segments.items()
    }
    assert durations == {"240p": [4, 4, 2.4], "360p": [4, 4, 2.4]}


def test_every_segment_starts_with_a_key_frame_of_a_closed_gop(encoded: Encoded) -> None:
    path = encoded.playlist("240p")
    packets = ffprobe(path, "-allowed_extensions", "ALL", "-show_entries", "packet=pts_time,flags")
    keys = [float(p["pts_time"]) for p in packets["packets"] if "K" in p["flags"]]
    assert keys == pytest.approx([0, 2, 4, 6, 8, 10], abs=1e-4)


def test_renditions_are_h264_high_in_bt709_with_the_codecs_they_claim(
    encoded: Encoded,
) -> None:
    path = encoded.playlist("360p")
    (stream,) = ffprobe(path, "-allowed_extensions", "ALL", "-show_streams")["streams"]
    assert (stream["codec_name"], stream["profile"]) == ("h264", "High")
    assert (stream["pix_fmt"], stream["color_range"]) == ("yuv420p", "tv")
    assert {stream[f"color_{kind}"] for kind in ("space", "transfer", "primaries")} == {"bt709"}
    assert encoded.ranges[0].codecs["360p"] == f"avc1.6400{stream['level']:02x}"


def test_ranges_join_to_what_one_encode_makes(clip: Path, encoded: Encoded, tmp_path: Path) -> None:
    parts = encode(clip, tmp_path, ranges=((0, 1), (1, 2), (2, None)))
    for name in encoded.segments:
        assert watch(parts.playlist(name)) == watch(encoded.playlist(name))
        inits = {each.inits[name].read_bytes() for each in (*encoded.ranges, *parts.ranges)}
        assert len(inits) == 1, "every range of a rung has the same init segment"


def test_a_range_shows_the_frames_that_belong_there(tmp_path: Path) -> None:
    """Grey gets lighter by one step with each frame, so that each frame tells its number."""
    path = tmp_path / "steps.mp4"
    grey = "color=black:s=320x240:r=10:d=16,geq=lum='16+N':cb=128:cr=128"
    ffmpeg("-f", "lavfi", "-i", grey, *FAST_H264, "-qp", "1", "-g", "37", path)
    encoded = encode(path, tmp_path / "out", ranges=((0, 2), (2, None)))
    ffmpeg(
        *("-allowed_extensions", "ALL", "-i", encoded.playlist("240p")),
        *("-vf", "crop=2:2,extractplanes=y", "-f", "rawvideo", tmp_path / "grey.raw"),
    )
    shown = (tmp_path / "grey.raw").read_bytes()[::4]
    assert len(shown) == 160
    assert max(abs(value - (16 + index)) for index, value in enumerate(shown)) <= 1


def test_a_retry_goes_on_at_the_first_unfinished_segment(clip: Path, tmp_path: Path) -> None:
    encoded = encode(clip, tmp_path, ranges=((0, 2), (2, None)), sample_every_frames=10)
    assert encoded.order == [0, 1, 2]
    assert watch(encoded.playlist("360p")) == pytest.approx(evenly(260, 25), abs=1e-4)
    times = [sample.timestamp_ms for sample in encoded.samples]
    assert times == list(range(0, 10_400, 400))


def test_segments_are_handed_over_while_the_encode_goes_on(clip: Path, tmp_path: Path) -> None:
    """Cancelling at the first segment ends ffmpeg and leaves the others unmade."""
    source = probed_video(clip, tmp_path)
    cancel = threading.Event()
    seen: list[int] = []

    def stop_at_once(segment: FinishedSegment) -> None:
        seen.append(segment.index)
        assert all(path.stat().st_size > 0 for path in segment.paths.values())
        cancel.set()

    lowest = ladder_for(source, POLICY)[:1]
    plan = EncodePlan(source, grid_for(source, POLICY), lowest, preset="slower")
    with pytest.raises(ChildCancelled):
        encode_segments(
            source=clip,
            plan=plan,
            tools=TOOLS,
            work_dir=tmp_path,
            on_segment=stop_at_once,
            cancel=cancel,
        )
    assert seen[0] == 0
    assert len(seen) < 3


@pytest.mark.parametrize(
    ("name", "options", "rung", "size", "frames"),
    [
        ("rotated", ("-metadata:s:v", "rotate=90"), "240p", (240, 426), 25),
        ("anamorphic", ("-vf", "scale=320:240,setsar=4/3"), "240p", (426, 240), 25),
        ("odd", ("-vf", "scale=427:241", "-pix_fmt", "yuv444p"), "240p", (426, 240), 25),
        ("tiny", ("-vf", "scale=66:34,setsar=1"), "34p", (66, 34), 25),
        ("one frame", ("-frames:v", "1"), "240p", (426, 240), 1),
        ("full range", ("-pix_fmt", "yuvj420p"), "240p", (426, 240), 25),
        ("ten bits", ("-pix_fmt", "yuv422p10le"), "240p", (426, 240), 25),
    ],
)
def test_odd_pictures_come_out_upright_square_and_even(
    tmp_path: Path,
    name: str,
    options: tuple[str, ...],
    rung: str,
    size: tuple[int, int],
    frames: int,
) -> None:
    path = tmp_path / f"{name}.mov"
    plain = tmp_path / "plain.mov"
    ffmpeg(*picture(1), *FAST_H264, *(() if name == "rotated" else options), plain)
    # ffmpeg 5.1 writes a display matrix only when copying.
    ffmpeg("-i", plain, "-c", "copy", *(options if name == "rotated" else ()), path)
    encoded = encode(path, tmp_path / "out")
    playlist = encoded.playlist(rung)
    (stream,) = ffprobe(playlist, "-allowed_extensions", "ALL", "-show_streams")["streams"]
    assert (stream["width"], stream["height"]) == size
    assert stream["sample_aspect_ratio"] == "1:1"
    assert len(watch(playlist)) == frames


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_is_tone_mapped_to_bt709(tmp_path: Path, transfer: str) -> None:
    path = tmp_path / "hdr.mp4"
    tags = f"colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc:log-level=none"
    ffmpeg(
        *picture(1, rate="10"),
        *("-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-preset", "ultrafast"),
        *("-x265-params", tags, "-tag:v", "hvc1", path),
    )
    source = probed_video(path, tmp_path)
    assert source.colour.transfer.value == transfer
    encoded = encode(path, tmp_path / "out")
    playlist = encoded.playlist("240p")
    (stream,) = ffprobe(playlist, "-allowed_extensions", "ALL", "-show_streams")["streams"]
    assert stream["color_transfer"] == "bt709"
    assert len(watch(playlist)) == 10


def test_irregular_frames_become_a_constant_rate_of_the_same_length(tmp_path: Path) -> None:
    path = tmp_path / "vfr.mp4"
    ffmpeg(
        *picture(4, rate="30"),
        *("-vf", "select='not(between(n,20,50))+not(mod(n,7))'", "-fps_mode", "vfr"),
        *FAST_H264,
        path,
    )
    encoded = encode(path, tmp_path / "out")
    assert encoded.source.variable_frame_rate
    assert watch(encoded.playlist("240p")) == pytest.approx(evenly(120, 30), abs=1e-4)


def test_high_rates_are_divided_evenly(tmp_path: Path) -> None:
    path = tmp_path / "fast.mp4"
    ffmpeg(*picture(1, rate="120"), *FAST_H264, path)
    encoded = encode(path, tmp_path / "out")
    assert watch(encoded.playlist("240p")) == pytest.approx(evenly(60, 60), abs=1e-4)


def test_a_fractional_rate_keeps_its_exact_grid(tmp_path: Path) -> None:
    path = tmp_path / "ntsc.mkv"
    ffmpeg(*picture(9, rate="30000/1001"), *FAST_H264, path)
    encoded = encode(path, tmp_path / "out", ranges=((0, 1), (1, None)))
    rate = Fraction(30000, 1001)
    frames = grid_for(encoded.source, POLICY).frame_count
    assert frames == 270
    assert encoded.segments["240p"][0].duration_seconds == float(120 / rate)
    assert watch(encoded.playlist("240p")) == pytest.approx(evenly(frames, rate), abs=1e-4)


def test_interlaced_pictures_are_woven(tmp_path: Path) -> None:
    path = tmp_path / "interlaced.mp4"
    ffmpeg(
        *picture(1, rate="50"),
        *("-vf", "interlace", "-flags", "+ildct+ilme", "-x264-params", "tff=1"),
        *("-c:v", "libx264", "-pix_fmt", "yuv420p", path),
    )
    encoded = encode(path, tmp_path / "out")
    assert encoded.source.interlaced
    assert len(watch(encoded.playlist("240p"))) == 25


def test_a_change_of_size_in_mid_stream_keeps_count_and_size(tmp_path: Path) -> None:
    for number, size in enumerate(("426x240", "320x240")):
        part = tmp_path / f"{number}.ts"
        ffmpeg(*picture(1, size=size), *FAST_H264, "-output_ts_offset", str(number), part)
    path = tmp_path / "joined.ts"
    path.write_bytes((tmp_path / "0.ts").read_bytes() + (tmp_path / "1.ts").read_bytes())
    encoded = encode(path, tmp_path / "out")
    assert watch(encoded.playlist("240p")) == pytest.approx(evenly(50, 25), abs=1e-4)


@pytest.mark.parametrize("ending", ["ts", "avi", "webm"])
def test_ranges_of_other_containers_join_without_a_gap(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"clip.{ending}"
    codec = (
        ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "16")
        if ending == "webm"
        else FAST_H264
    )
    ffmpeg(*picture(9, size="320x240"), *codec, path)
    encoded = encode(path, tmp_path / "out", ranges=((0, 1), (1, 2), (2, None)))
    frames = grid_for(encoded.source, POLICY).frame_count
    assert frames in (225, 226)
    assert watch(encoded.playlist("240p")) == pytest.approx(evenly(frames, 25), abs=1e-4)


def test_chapters_leave_the_segments_as_they_are(tmp_path: Path) -> None:
    """A chapter track among the outputs would keep every fragment back until the end."""
    chapters = tmp_path / "chapters.txt"
    parts = "".join(f"[CHAPTER]\nTIMEBASE=1/1\nSTART={n}\nEND={n + 2}\n" for n in (0, 2, 4))
    chapters.write_text(f";FFMETADATA1\n{parts}")
    path = tmp_path / "chapters.mkv"
    ffmpeg(*picture(6), "-i", chapters, "-map_chapters", "1", *FAST_H264, path)
    encoded = encode(path, tmp_path / "out")
    assert [segment.duration_seconds for segment in encoded.segments["240p"]] == [4, 2]
    assert watch(encoded.playlist("240p")) == pytest.approx(evenly(150, 25), abs=1e-4)


def test_an_end_that_can_not_be_decoded_freezes_as_in_a_player(tmp_path: Path, clip: Path) -> None:
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat")
    middle = start + (len(data) - start) // 2
    data[middle : data.index(b"moov", middle) - 4] = bytes(data.index(b"moov", middle) - 4 - middle)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    encoded = encode(path, tmp_path / "out", ranges=((0, 2), (2, None)))
    assert watch(encoded.playlist("240p")) == pytest.approx(evenly(260, 25), abs=1e-4)
    assert [each.was_replaced for each in encoded.ranges] == [False, True]


def test_a_cut_off_file_shows_what_is_there(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.mkv", tmp_path / "cut.mkv"
    ffmpeg(*picture(6), *FAST_H264, whole)
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    encoded = encode(path, tmp_path / "out")
    frames = len(watch(encoded.playlist("240p")))
    assert 60 < frames < 95
    assert frames == encoded.source.frame_count


def test_pictures_without_any_decodable_frame_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "zeros.mp4"
    ffmpeg(*picture(2), *FAST_H264, "-bsf:v", "noise=amount=1", path)
    with pytest.raises(MediaRejected) as rejected:
        encode(path, tmp_path / "out")
    assert rejected.value.reason is RejectionCode.CORRUPT_MEDIA


def test_fitting_packets_are_copied_to_the_top_rung(tmp_path: Path) -> None:
    path = tmp_path / "fits.mp4"
    ffmpeg(
        *picture(9, size="640x360"), *FAST_H264, "-bf", "2", "-g", "50", "-sc_threshold", "0", path
    )
    policy = replace(POLICY, chunk_threshold_seconds=5)
    source = probed_video(path, tmp_path)
    grid, rungs = grid_for(source, policy), ladder_for(source, policy)
    rungs = (*rungs[:-1], replace(rungs[-1], bitrate=source.bitrate))
    assert may_copy(source, rungs[-1], grid, has_watermark=False, is_clean=True)
    assert not may_copy(source, rungs[-1], grid, has_watermark=True, is_clean=True)
    assert not may_copy(source, rungs[0], grid, has_watermark=False, is_clean=True)
    encoded = encode(
        path, tmp_path / "out", ranges=((0, 1), (1, None)), rungs=rungs, copies_top=True
    )
    for name in ("240p", "360p"):
        assert watch(encoded.playlist(name)) == pytest.approx(evenly(225, 25), abs=1e-4)
    assert len({each.inits["360p"].read_bytes() for each in encoded.ranges}) == 1
    copied = sum((tmp_path / "out" / s.uri).stat().st_size for s in encoded.segments["360p"])
    assert copied == pytest.approx(source.bitrate * 9 / 8, rel=0.02)


def test_samples_are_small_jpegs_without_the_watermark(clip: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark.png"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=200x40", "-frames:v", "1", mark)
    source = probed_video(clip, tmp_path)
    grid = grid_for(source, POLICY)
    encoded = encode(
        clip,
        tmp_path / "out",
        sample_every_frames=sample_every_frames(grid, POLICY),
        watermark=Watermark(mark, corner="top-left", height_bps=1000),
    )
    assert len(encoded.samples) >= 50
    assert encoded.samples[3].timestamp_ms == 3 * 5 * 40
    first = encoded.samples[0].path
    (stream,) = ffprobe(first, "-show_streams")["streams"]
    assert (stream["width"], stream["height"]) == (320, 180)
    for name in encoded.segments:
        assert _corner_is_red(encoded.playlist(name), tmp_path)
    assert not _corner_is_red(first, tmp_path)


def _corner_is_red(path: Path, folder: Path) -> bool:
    raw = folder / "corner.rgb"
    network = ("-allowed_extensions", "ALL") if path.suffix == ".m3u8" else ()
    ffmpeg(*network, "-i", path, "-frames:v", "1", "-vf", "crop=4:4:2:2,format=rgb24", raw)
    red, green, blue = raw.read_bytes()[:3]
    return red > 200 and green < 60 and blue < 60


def test_policy_of_the_ladder_reaches_the_encode(clip: Path, tmp_path: Path) -> None:
    policy = VideoPolicy(preset="superfast", short_side_max=240, segment_seconds=2)
    short = encode(clip, tmp_path, policy=policy)
    assert list(short.segments) == ["240p"]
    assert short.order == [0, 1, 2, 3, 4, 5]
