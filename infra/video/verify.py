"""Looks at what was made before anybody calls it done.

What is checked, and why no more: every fragment's frames and ticks are counted while it is
cut, in every rung. Here the bytes are decoded again: the lowest rung whole, of the others
every key frame, which is the start of every GOP. That costs about 3 % of the encode; decoding
everything would cost 15 % and more (measured), and find nothing else but faults of x264.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infra.video.command import MediaTools, guarded_input, run_ffmpeg
from infra.video.fragments import EncodeFailed

_WALL_SECONDS = 900
_PIXELS = 2
"""Of each decoded frame only 2×2 grey pixels are kept, to be counted."""


class OutputUnsound(EncodeFailed):
    """What was encoded can't be decoded again. The whole range has to be made anew."""

    code = "output_unsound"


def verify_decodes(
    files: Sequence[Path],
    *,
    frames: int,
    key_frames: Mapping[Path, int],
    tools: MediaTools,
    work_dir: Path,
    cancel: threading.Event | None = None,
) -> None:
    """Decode the first file whole and the key frames of all others.

    Args:
        files: renditions of one range, the cheapest first.
        frames: how many the first one has to show.
        key_frames: how many each of the others has to show at least.

    Raises:
        OutputUnsound: a frame is missing or a decoder complained.
    """
    # Side by side: at the end of an encode nothing else is left to keep the cores busy.
    with ThreadPoolExecutor(max_workers=2) as pool:
        checks = [
            pool.submit(
                _decode, part, tools=tools, work_dir=work_dir, only_key_frames=only, cancel=cancel
            )
            for part, only in ((files[:1], False), (files[1:], True))
            if part
        ]
        shown = {path: count for check in checks for path, count in check.result().items()}
    for path in files:
        wanted = frames if path == files[0] else key_frames[path]
        if shown[path] < wanted:
            raise OutputUnsound(
                "frames are missing", rung=path.stem, shown=shown[path], wanted=wanted
            )


def _decode(
    files: Sequence[Path],
    *,
    tools: MediaTools,
    work_dir: Path,
    only_key_frames: bool,
    cancel: threading.Event | None,
) -> dict[Path, int]:
    """How many frames each file shows; `OutputUnsound` if a decoder complains."""
    options = {"skip_frame": "nokey"} if only_key_frames else {}
    counts = {path: work_dir / f"verify-{path.stem}.gray" for path in files}
    outputs = [
        guarded_input(path, tools, formats="mov,mp4,m4a,3gp,3g2,mj2", **options)["v:0"]
        .filter("crop", _PIXELS, _PIXELS, 0, 0)
        .filter("format", "gray")
        .output(str(counts[path]), f="rawvideo", fps_mode="passthrough")
        for path in files
    ]
    result = run_ffmpeg(
        outputs,
        tools=tools,
        limits=tools.limits(wall_seconds=_WALL_SECONDS, file_bytes=64 << 20, reports_progress=True),
        cwd=work_dir,
        cancel=cancel,
    )
    if result.returncode != 0 or result.stderr_tail.strip():
        raise OutputUnsound("a rung doesn't decode", stderr=result.stderr_tail[-2000:])
    shown = {}
    for path, count in counts.items():
        shown[path] = count.stat().st_size // _PIXELS**2 if count.exists() else 0
        count.unlink(missing_ok=True)
    return shown
