"""Makes tiny clips and watches what was made of them, with ffmpeg as the player."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from domain.media.hls import HlsSegment, media_playlist, segment_iv
from domain.media.video import (
    SourceAudio,
    SourceVideo,
    VideoPolicy,
    grid_for,
    ladder_for,
)
from infra.video import (
    EncodedRange,
    EncodePlan,
    FinishedSegment,
    MediaTools,
    Sample,
    encode_segments,
    encrypt_segment,
    probe,
)

POLICY = VideoPolicy(preset="superfast", short_side_max=360)
TOOLS = MediaTools()
KEY = bytes(range(16))
MEDIA_ID = "0190d1f0-0000-7000-8000-000000000001"

FAST_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg to make a test file; its complaint is the error."""
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(done.stderr)


def picture(seconds: float, *, size: str = "426x240", rate: str = "25") -> tuple[str, ...]:
    """Input options: a moving test picture with a frame counter."""
    return ("-f", "lavfi", "-i", f"testsrc2=d={seconds}:s={size}:r={rate}")


def tone(seconds: float, *, frequency: int = 440) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"sine=f={frequency}:d={seconds}")


def ffprobe(path: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        ["ffprobe", "-v", "error", *arguments, "-of", "json", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@dataclass
class Encoded:
    """What one or more encodes of a source handed over, sealed and laid out for a player."""

    folder: Path
    source: SourceVideo
    segments: dict[str, list[HlsSegment]] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    ranges: list[EncodedRange] = field(default_factory=list)
    order: list[int] = field(default_factory=list)

    def store(self, segment: FinishedSegment) -> None:
        self.order.append(segment.index)
        self.samples.extend(segment.samples)
        timescale = grid_for(self.source, POLICY).timescale
        for name, path in segment.paths.items():
            iv = segment_iv(MEDIA_ID, 1, name, segment.index)
            sealed = self.folder / f"{name}-{segment.index}.m4s"
            sealed.write_bytes(encrypt_segment(path, key=KEY, iv=iv))
            seconds = segment.duration_ticks / timescale
            self.segments.setdefault(name, []).append(HlsSegment(seconds, sealed.name, iv))

    def playlist(self, name: str, *, key: bytes | None = KEY) -> Path:
        """The rung's playlist on disk; with another key, or with none."""
        init = self.folder / f"{name}-init.mp4"
        init.write_bytes(self.ranges[-1].inits[name].read_bytes())
        (self.folder / "media.key").write_bytes(key or b"")
        path = self.folder / f"{name}.m3u8"
        path.write_text(
            media_playlist(segments=self.segments[name], init_uri=init.name, key_uri="media.key")
        )
        return path


def watch(playlist: Path) -> list[float]:
    """Times of the frames that a player shows.

    Raises:
        subprocess.CalledProcessError: it can't play this.
    """
    reading = ("-v", "error", "-xerror", "-allowed_extensions", "ALL", "-i", str(playlist))
    writing = ("-fps_mode", "passthrough", "-enc_time_base", "1/90000", "-f", "framecrc", "-")
    done = subprocess.run(
        ["ffmpeg", "-nostdin", *reading, "-map", "0:v", *writing],
        capture_output=True,
        text=True,
        check=True,
    )
    if done.stderr:
        raise AssertionError(done.stderr)
    rows = [line.split(",") for line in done.stdout.splitlines() if not line.startswith("#")]
    return [int(row[2]) / 90000 for row in rows]


def probed(path: Path, folder: Path, policy: VideoPolicy = POLICY) -> SourceVideo | SourceAudio:
    return probe(path, policy=policy, tools=TOOLS, work_dir=folder)


def probed_video(path: Path, folder: Path, policy: VideoPolicy = POLICY) -> SourceVideo:
    source = probed(path, folder, policy)
    assert isinstance(source, SourceVideo)
    return source


def encode(
    path: Path,
    folder: Path,
    *,
    ranges: Sequence[tuple[int, int | None]] = ((0, None),),
    policy: VideoPolicy = POLICY,
    **plan: Any,
) -> Encoded:
    """Encode a file in one or several ranges, each in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    source = probed_video(path, folder, policy)
    encoded = Encoded(folder, source)
    plan.setdefault("rungs", ladder_for(source, policy))
    for number, (start, end) in enumerate(ranges):
        work_dir = folder / f"range-{number}"
        work_dir.mkdir()
        encoded.ranges.append(
            encode_segments(
                source=path,
                plan=EncodePlan(
                    source=source,
                    grid=grid_for(source, policy),
                    start_segment=start,
                    end_segment=end,
                    preset=policy.preset,
                    **plan,
                ),
                tools=TOOLS,
                work_dir=work_dir,
                on_segment=encoded.store,
            )
        )
    return encoded


def evenly(count: int, rate: Fraction | int) -> list[float]:
    """Times of `count` frames at a constant rate, from 0."""
    return [float(index / Fraction(rate)) for index in range(count)]
