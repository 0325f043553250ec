"""The whole rendition set of a JPEG, against sharp writing the same set with the same settings.

Both write five widths, a thumbnail and a blur preview, each as JPEG and WebP, without a
watermark, two sets in flight. Ours runs in confined children, one for each set, and makes a
ThumbHash and a sample for moderation besides. sharp runs in one warm process, in two ways:
with a pipeline for each file, as its documentation has it, and with our cascade rebuilt by
hand. Either way its faster number of threads is tried first, and that one is the peer.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from PIL import Image

from benchmarks.material import photo_jpeg
from benchmarks.result import Result, compare, in_turn
from benchmarks.sharp_peer import Sharp, Way
from benchmarks.ssim import ssim
from domain.media.images import ImagePolicy
from infra.images import render
from infra.sandbox import Usage, Zygote

MEGAPIXELS = (6, 12, 24)
IN_FLIGHT = 2
SETS = 6
"""In one round."""
SPEED_AT_LEAST = 1.2
MEMORY_AT_MOST = 1.2
WAYS = {
    "pipelines": "sharp, a pipeline a file",
    "cascade": "sharp, our cascade rebuilt",
}
THREADS = (1, 2)
"""For each of sharp's pipelines; 1 is its default with glibc."""
_POLICY = ImagePolicy()


def run(rounds: int) -> list[Result]:
    """Speed, bytes, likeness and memory for each size of picture."""
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="fansworld-bench-") as name, Zygote() as zygote:
        for megapixels in MEGAPIXELS:
            folder = Path(name) / str(megapixels)
            source = folder / "photo.jpg"
            ours = _Ours(zygote, source, folder / "ours")
            peer_dir = folder / "sharp"
            for made in (folder, ours.out_dir, peer_dir):
                made.mkdir(exist_ok=True)
            source.write_bytes(photo_jpeg(megapixels * 1_000_000))
            with Sharp(_POLICY) as sharp:
                results += _speeds(megapixels, ours, sharp, source, peer_dir, rounds)
            results += _looks(
                megapixels, source, ours.out_dir / "0", {way: peer_dir / way / "0" for way in WAYS}
            )
            results.append(_memory(megapixels, ours, source, peer_dir, rounds))
    return results


@dataclass(frozen=True)
class _Ours:
    zygote: Zygote
    source: Path
    out_dir: Path

    def seconds(self, sets: int) -> float:
        started = time.monotonic()
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            list(pool.map(self.render, range(sets)))
        return time.monotonic() - started

    def render(self, number: int, on_usage: Callable[[Usage], object] | None = None) -> None:
        out_dir = self.out_dir / str(number)
        out_dir.mkdir(exist_ok=True)
        render(
            self.zygote,
            source=self.source,
            out_dir=out_dir,
            policy=_POLICY,
            watermark_text=None,
            content_type="image/jpeg",
            on_usage=on_usage,
        )


def _speeds(
    megapixels: int, ours: _Ours, sharp: Sharp, source: Path, out_dir: Path, rounds: int
) -> list[Result]:
    def peer_seconds(way: Way, sets: int) -> float:
        return sharp.render(source, out_dir / way.name, sets=sets, lanes=IN_FLIGHT, way=way)[
            "seconds"
        ]

    def fastest(name: str) -> Way:
        ways = [Way(name, threads) for threads in THREADS]
        peer_seconds(ways[0], IN_FLIGHT)
        return min(ways, key=lambda way: peer_seconds(way, SETS))

    def against(name: str) -> Result:
        way = fastest(name)
        ours.seconds(IN_FLIGHT)
        mine, theirs = in_turn(
            rounds,
            lambda: SETS / ours.seconds(SETS),
            lambda: SETS / peer_seconds(way, SETS),
        )
        return compare(
            f"{megapixels} MP JPEG: sets, against {WAYS[name]}",
            ours=mine,
            peer=theirs,
            unit="sets/s",
            at_least=SPEED_AT_LEAST,
            note=f"{IN_FLIGHT} in flight; sharp.concurrency({way.concurrency}) was its faster one",
        )

    return [against(name) for name in WAYS]


def _looks(megapixels: int, source: Path, ours: Path, peers: dict[str, Path]) -> list[Result]:
    """Bytes of all files, and likeness of the full-size ones to the original scaled down.

    Held against the cascade, which scales as we do. Pipelines let the JPEG decoder do more of
    the scaling, which makes files softer and a little smaller: their figures are in the note.
    """
    names = sorted(path.name for path in peers["cascade"].iterdir())

    def bytes_in(folder: Path) -> int:
        return sum((folder / name).stat().st_size for name in names)

    spent = {name: bytes_in(folder) for name, folder in peers.items()}
    likeness = {name: _likeness(source, folder) for name, folder in peers.items()}
    return [
        compare(
            f"{megapixels} MP JPEG: bytes, against sharp's cascade",
            ours=[bytes_in(ours)],
            peer=[spent["cascade"]],
            unit="bytes",
            at_most=1.0,
            note=f"sharp's pipelines: {spent['pipelines']}",
        ),
        compare(
            f"{megapixels} MP JPEG: SSIM, against sharp's cascade",
            ours=[_likeness(source, ours)],
            peer=[likeness["cascade"]],
            unit="SSIM",
            at_least=1.0,
            note=f"sharp's pipelines: {likeness['pipelines']:.4f}; mean over widths and formats, "
            "reference is the original scaled by Pillow's Lanczos",
        ),
    ]


def _likeness(source: Path, folder: Path) -> float:
    found = []
    with Image.open(source) as original:
        original.load()
        for width in _POLICY.widths:
            height = round(original.height * width / original.width)
            reference = original.resize((width, height), Image.Resampling.LANCZOS)
            for extension in ("jpg", "webp"):
                with Image.open(folder / f"w{width}.{extension}") as picture:
                    found.append(ssim(picture, reference))
    return mean(found)


def _memory(megapixels: int, ours: _Ours, source: Path, out_dir: Path, rounds: int) -> Result:
    """Highest resident size of a process that makes one set and ends."""
    usages: list[Usage] = []

    def our_mib() -> float:
        ours.render(0, on_usage=usages.append)
        return usages[-1].memory_peak_bytes / 2**20

    def peer_mib() -> float:
        peaks = []
        for name in WAYS:
            with Sharp(_POLICY) as sharp:
                done = sharp.render(source, out_dir / name, sets=1, lanes=1, way=Way(name, 1))
            peaks.append(done["memory_peak_bytes"] / 2**20)
        return min(peaks)

    mine, theirs = in_turn(min(rounds, 3), our_mib, peer_mib)
    return compare(
        f"{megapixels} MP JPEG: peak memory, against sharp",
        ours=mine,
        peer=theirs,
        unit="MiB",
        at_most=MEMORY_AT_MOST,
        note="resident, of a process that makes one set; sharp in the way that takes less",
    )
