"""Ingest through everything against the bare work inside it.

Pictures: S3, scan, workflow and database around the render, against a loop that only renders,
with as many children at a time. Video: the whole run against one ffmpeg with the same rungs.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from benchmarks.material import film_of, photo_jpeg
from benchmarks.result import Result, compare, in_turn
from benchmarks.video import bare_ffmpeg
from devstack.client import ApiClient, FileToSend
from devstack.people import ensure_person
from devstack.running import running_stack
from devstack.stack import settings_from
from domain.accounts import Role
from infra.images import policy_from, render
from infra.sandbox import Zygote
from infra.settings import Settings

PICTURES = 24
"""In one round; the first ones warm the workers up and are not counted."""
WARM = 4
AT_ONCE = 2
"""As many as there are media slots in all, so that both sides use both cores."""
UPLOADS_AT_ONCE = 6
VIDEO_SECONDS = (20, 60)
"""A short clip shows what every run costs besides encoding, a longer one how that fades."""
VIDEO_ROUNDS_MAX = 3


def run(rounds: int) -> list[Result]:
    """Both comparisons on one stack, started for them."""
    with (
        tempfile.TemporaryDirectory(prefix="fansworld-bench-", ignore_cleanup_errors=True) as name,
        running_stack(Path(name), Console(quiet=True)) as (_, environment),
    ):
        run_dir = Path(name)
        settings = settings_from(environment)
        token = ensure_person(settings, "bench", Role.CREATOR).token
        photo = photo_jpeg(6_000_000)
        pictures = _pictures(settings, token, photo, rounds)
        asyncio.run(_ingest(settings, token, [_film_file(film_of(720, seconds=5, folder=run_dir))]))
        videos = [
            _video(settings, token, run_dir, seconds, min(rounds, VIDEO_ROUNDS_MAX))
            for seconds in VIDEO_SECONDS
        ]
    return [pictures, *videos]


def _pictures(settings: Settings, token: str, photo: bytes, rounds: int) -> Result:
    asyncio.run(_ingest(settings, token, [_photo_file(photo, n) for n in range(WARM)]))
    with Zygote() as zygote, tempfile.TemporaryDirectory() as folder:
        bare = BareLoop(settings, zygote, photo, Path(folder))
        bare.seconds(WARM)
        ours, peer = in_turn(
            rounds,
            lambda: PICTURES / _ingest_seconds(settings, token, photo),
            lambda: PICTURES / bare.seconds(PICTURES),
        )
    return compare(
        "pictures through everything, against the bare render loop",
        ours=ours,
        peer=peer,
        unit="sets/s",
        at_least=0.7,
        note="6 MP JPEG; clock runs from the first upload's announcement to the last `ready`",
    )


class BareLoop:
    """Renders and nothing else, `AT_ONCE` at a time."""

    def __init__(self, settings: Settings, zygote: Zygote, photo: bytes, folder: Path) -> None:
        self._settings = settings
        self._zygote = zygote
        self._folder = folder
        self._source = folder / "photo.jpg"
        self._source.write_bytes(photo)

    def seconds(self, count: int) -> float:
        started = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._render, range(count)))
        return time.monotonic() - started

    def _render(self, number: int) -> None:
        out_dir = self._folder / f"out-{number}-{time.monotonic_ns()}"
        out_dir.mkdir()
        render(
            self._zygote,
            source=self._source,
            out_dir=out_dir,
            policy=policy_from(self._settings),
            watermark_text="@bench",
            content_type="image/jpeg",
        )
        for path in out_dir.iterdir():
            path.unlink()


def _ingest_seconds(settings: Settings, token: str, photo: bytes) -> float:
    started = time.monotonic()
    asyncio.run(_ingest(settings, token, [_photo_file(photo, n) for n in range(PICTURES)]))
    return time.monotonic() - started


async def _ingest(settings: Settings, token: str, files: Sequence[FileToSend]) -> None:
    window = asyncio.Semaphore(UPLOADS_AT_ONCE)

    async def one(client: ApiClient, file: FileToSend) -> None:
        async with window:
            media = await client.settle(await client.upload(file, watermark=True))
        if media["state"] != "ready":
            raise RuntimeError(f"{file.name} ended {media['state']}")

    async with ApiClient(settings.api_public_url, token) as client:
        await asyncio.gather(*(one(client, file) for file in files))


def _photo_file(photo: bytes, number: int) -> FileToSend:
    """The same picture under another hash: JPEG readers ignore what follows the end mark."""
    return FileToSend(f"photo-{number}.jpg", photo + number.to_bytes(4, "big"), "image/jpeg")


def _film_file(source: Path) -> FileToSend:
    return FileToSend(source.name, source.read_bytes(), "video/mp4")


def _video(settings: Settings, token: str, folder: Path, seconds: int, rounds: int) -> Result:
    source = film_of(720, seconds=seconds, folder=folder)
    file = _film_file(source)

    def through_everything() -> float:
        started = time.monotonic()
        asyncio.run(_ingest(settings, token, [file]))
        return time.monotonic() - started

    ours, peer = in_turn(rounds, through_everything, lambda: bare_ffmpeg(source, folder))
    return compare(
        f"{seconds} s of 720p through everything, against one ffmpeg with the same rungs",
        ours=ours,
        peer=peer,
        unit="s",
        at_most=1.10,
        note="ours adds scan, judgement, storyboard, poster, loudness, encryption and checks",
    )
