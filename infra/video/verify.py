"""Looks at what was made before anybody calls it done.

What is checked, and why no more: every fragment's frames and ticks are counted while it is
cut, in every rung. Here the bytes are decoded again: the lowest rung whole, of the others
every key frame, which is the start of every GOP. That costs about 3 % of the encode; decoding
everything would cost 15 % and more (measured), and find nothing else but faults of x264.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
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
    counts = [work_dir / f"verify-{index}.gray" for index in range(len(files))]
    outputs = []
    for index, path in enumerate(files):
        options = {} if index == 0 else {"skip_frame": "nokey"}
        outputs.append(
            guarded_input(path, tools, formats="mov,mp4,m4a,3gp,3g2,mj2", **options)["v:0"]
            .filter("crop", _PIXELS, _PIXELS, 0, 0)
            .filter("format", "gray")
            .output(str(counts[index]), f="rawvideo", fps_mode="passthrough")
        )
    result = run_ffmpeg(
        outputs,
        tools=tools,
        limits=tools.limits(wall_seconds=_WALL_SECONDS, file_bytes=64 << 20, reports_progress=True),
        cwd=work_dir,
        cancel=cancel,
    )
    if result.returncode != 0 or result.stderr_tail.strip():
        raise OutputUnsound("a rung doesn't decode", stderr=result.stderr_tail[-2000:])
    for path, count in zip(files, counts, strict=True):
        shown = count.stat().st_size // _PIXELS**2 if count.exists() else 0
        wanted = frames if path == files[0] else key_frames[path]
        if shown < wanted:
            raise OutputUnsound("frames are missing", rung=path.stem, shown=shown, wanted=wanted)
        count.unlink()
