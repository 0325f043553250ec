"""Our encode of a video against one bare ffmpeg command with the same rungs.

Ours: probe, every rung with watermark and sample frames, sound levelled in two passes,
segments sealed, everything decoded again. The peer: one ffmpeg that writes the same rungs and
the sound as HLS, with nothing else around it.
"""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree

from benchmarks.material import film_of
from benchmarks.priority import AS_OUR_CHILDREN
from benchmarks.result import Result, compare, in_turn
from domain.media.audio import AudioPolicy, audio_renditions_for
from domain.media.images import WatermarkPolicy
from domain.media.video import (
    Rung,
    SegmentGrid,
    SourceVideo,
    VideoPolicy,
    grid_for,
    ladder_for,
    sample_every_frames,
)
from infra.images.watermark import drawn_mark
from infra.video import (
    CutSegment,
    EncodePlan,
    FinishedSegment,
    MediaTools,
    Watermark,
    encode_audio,
    encode_segments,
    encrypt_segment,
    probe,
)

HEIGHTS = (720, 1080)
SECONDS = 20
ROUNDS_MAX = 3
_POLICY = VideoPolicy()
_TOOLS = MediaTools()
_KEY = bytes(16)


def run(rounds: int) -> list[Result]:
    """Clips of 720 and 1080 lines, up to `ROUNDS_MAX` times each, in turn."""
    with tempfile.TemporaryDirectory(prefix="fansworld-bench-") as name:
        return [_against_bare(height, Path(name), min(rounds, ROUNDS_MAX)) for height in HEIGHTS]


def _against_bare(height: int, folder: Path, rounds: int) -> Result:
    source = film_of(height, seconds=SECONDS, folder=folder)
    ours, peer = in_turn(
        rounds, lambda: our_encode(source, folder), lambda: bare_ffmpeg(source, folder)
    )
    return compare(
        f"a {height}p video with every rung, against one ffmpeg with the same rungs",
        ours=ours,
        peer=peer,
        unit="s",
        at_most=1.10,
        note=f"{SECONDS} s clip; ours adds watermark, samples, loudness, sealing and checks",
    )


def our_encode(source: Path, folder: Path) -> float:
    """Seconds that our whole encode of a clip takes; sound runs beside the pictures, as in
    the workflow."""
    work_dir = folder / "ours"
    rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir()
    started = time.monotonic()
    facts = _facts(source, work_dir)
    sound = threading.Thread(target=_encode_sound, args=(source, facts, work_dir))
    sound.start()
    grid = grid_for(facts, _POLICY)
    rungs = ladder_for(facts, _POLICY)
    encode_segments(
        source=source,
        plan=EncodePlan(
            source=facts,
            grid=grid,
            rungs=rungs,
            sample_every_frames=sample_every_frames(grid, _POLICY),
            watermark=_watermark(rungs[-1], work_dir),
            preset=_POLICY.preset,
        ),
        tools=_TOOLS,
        work_dir=work_dir,
        on_segment=_seal,
    )
    sound.join()
    return time.monotonic() - started


def _facts(source: Path, work_dir: Path) -> SourceVideo:
    facts = probe(source, policy=_POLICY, tools=_TOOLS, work_dir=work_dir)
    if not isinstance(facts, SourceVideo):
        raise RuntimeError("the clip has no pictures")
    return facts


def _watermark(top: Rung, work_dir: Path) -> Watermark:
    mark = drawn_mark("@benchmark", WatermarkPolicy(), width=top.width, height=top.height)
    path = work_dir / "mark.png"
    mark.save(path)
    return Watermark(path, height_bps=round(mark.height * 10_000 / top.height))


def _seal(segment: FinishedSegment) -> None:
    for path in segment.paths.values():
        encrypt_segment(path, key=_KEY, iv=segment.index.to_bytes(16, "big"))


def _seal_sound(_name: str, cut: CutSegment) -> None:
    encrypt_segment(cut.path, key=_KEY, iv=bytes(16))


def _encode_sound(source: Path, facts: SourceVideo, work_dir: Path) -> None:
    if facts.audio is None:
        raise RuntimeError("the clip has no sound")
    policy = AudioPolicy()
    encode_audio(
        source=source,
        track=facts.audio,
        renditions=audio_renditions_for(is_recording=False, policy=policy),
        policy=policy,
        tools=_TOOLS,
        work_dir=work_dir,
        on_segment=_seal_sound,
    )


def bare_ffmpeg(source: Path, folder: Path) -> float:
    """Seconds that one plain ffmpeg takes for the same rungs and sound, as clear HLS."""
    work_dir = folder / "bare"
    rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir()
    facts = _facts(source, work_dir)
    command = _bare_command(source, ladder_for(facts, _POLICY), grid_for(facts, _POLICY), work_dir)
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - started


def _bare_command(
    source: Path, rungs: Sequence[Rung], grid: SegmentGrid, work_dir: Path
) -> list[str]:
    names = [f"[v{index}]" for index in range(len(rungs))]
    graph = f"[0:v]split={len(rungs)}" + "".join(f"[s{i}]" for i in range(len(rungs)))
    for index, rung in enumerate(rungs):
        graph += f";[s{index}]scale={rung.width}:{rung.height}{names[index]}"
    command = [*AS_OUR_CHILDREN, "ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(source)]
    command += ["-filter_complex", graph]
    for index, rung in enumerate(rungs):
        command += ["-map", names[index], f"-b:v:{index}", str(rung.bitrate)]
        command += [f"-maxrate:v:{index}", str(rung.maxrate)]
        command += [f"-bufsize:v:{index}", str(rung.buffer_bits)]
    command += ["-c:v", "libx264", "-preset", _POLICY.preset, "-profile:v", "high"]
    command += ["-pix_fmt", "yuv420p", "-g", str(grid.frames_per_gop), "-sc_threshold", "0"]
    command += ["-keyint_min", str(grid.frames_per_gop)]
    command += ["-map", "0:a", "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000"]
    streams = [f"v:{index},agroup:sound" for index in range(len(rungs))]
    command += ["-f", "hls", "-hls_time", str(_POLICY.segment_seconds)]
    command += ["-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"]
    command += ["-var_stream_map", " ".join([*streams, "a:0,agroup:sound"])]
    command += ["-master_pl_name", "master.m3u8"]
    command += ["-hls_segment_filename", str(work_dir / "%v-%06d.m4s")]
    return [*command, str(work_dir / "%v.m3u8")]
