"""sharp as a process of its own: jobs in, seconds and memory out. See `sharp/render.mjs`."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from PIL import Image

from benchmarks.priority import AS_OUR_CHILDREN
from domain.media.images import ImagePolicy, sizes_for

FOLDER = Path(__file__).parent / "sharp"


@dataclass(frozen=True)
class Way:
    """How sharp makes a set: `pipelines` or `cascade`, with so many threads a pipeline."""

    name: str
    concurrency: int


class Sharp:
    """One node process, warm after its first job."""

    def __init__(self, policy: ImagePolicy) -> None:
        self._settings = {
            "thumbnail_side": policy.thumbnail_side,
            "blur_width": policy.blur_width,
            "jpeg": {
                "quality": policy.jpeg_quality,
                "progressive": True,
                "optimiseCoding": True,
                "chromaSubsampling": "4:2:0",
                "mozjpeg": False,
            },
            "webp": {"quality": policy.webp_quality, "effort": policy.webp_effort},
        }
        install()
        self._policy = policy
        self._process = subprocess.Popen(
            [*AS_OUR_CHILDREN, "node", str(FOLDER / "render.mjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Sharp:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()

    def render(
        self, source: Path, out_dir: Path, *, sets: int, lanes: int, way: Way
    ) -> dict[str, float]:
        """Make the set of `source` so often, `lanes` at a time.

        Returns:
            `seconds`, and `memory_peak_bytes` of the process up to now.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        with Image.open(source) as picture:
            width, height = picture.size
        job: dict[str, Any] = self._settings | {
            "source": str(source),
            "sizes": sizes_for(self._policy, width=width, height=height),
            "out_dir": str(out_dir),
            "sets": sets,
            "lanes": lanes,
            "way": way.name,
            "concurrency": way.concurrency,
        }
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"sharp ended with {self._process.wait()}; its words are above")
        done: dict[str, float] = json.loads(answer)
        return done


def install() -> None:
    """Install what the lock file names, unless it is there already.

    Raises:
        RuntimeError: npm failed.
    """
    installed, lock = FOLDER / "node_modules" / ".package-lock.json", FOLDER / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    npm = shutil.which("npm") or "npm"
    command = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"`npm ci` failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
