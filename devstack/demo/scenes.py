"""The demo's scenes. Each does one thing that a user would and checks what came of it."""

from __future__ import annotations

import asyncio
import io
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.progress import Progress
from temporalio.client import Client

from devstack.client import ApiClient, FileToSend, JsonObject, Problem
from devstack.demo import material
from devstack.demo.grants import grant, revoke
from devstack.demo.watching import StepClock, progress_bars, tell_steps, watch
from devstack.people import Person
from devstack.stack import Stack
from infra.settings import Settings
from infra.temporal import connect


class SceneFailed(Exception):
    """What was shown is not what should have happened."""


def expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise SceneFailed(otherwise)


@dataclass
class Stage:
    """Everything the scenes share."""

    stack: Stack
    settings: Settings
    console: Console
    folder: Path
    people: dict[str, Person] = field(default_factory=dict)
    """Who has come so far, by their names in the story."""
    media: dict[str, str] = field(default_factory=dict)
    """Media ids by what they are in the story."""
    posts: dict[str, JsonObject] = field(default_factory=dict)
    """Posts by what they are in the story."""
    tier_id: str = ""
    """What Mia sells by the month."""
    outcomes: list[tuple[str, str, str]] = field(default_factory=list)
    """`(title, result, media id)` for the table at the end."""

    @property
    def mia(self) -> Person:
        return self.people["mia"]

    @property
    def tom(self) -> Person:
        return self.people["tom"]

    @property
    def sam(self) -> Person:
        return self.people["sam"]

    def client(self, person: Person | None) -> ApiClient:
        return ApiClient(self.settings.api_public_url, person.token if person else None)


async def upload_and_watch(stage: Stage) -> str:
    """A creator uploads a video and two photos straight to storage and watches each step."""
    files = {
        "video": material.short_video(),
        "photo": material.photo(stage.folder, seconds=2, turned=False),
        "turned photo": material.photo(stage.folder, seconds=5, turned=True),
    }
    clocks = {title: StepClock() for title in files}
    async with stage.client(stage.mia) as mia:
        with progress_bars(stage.console) as bars:
            ended = await asyncio.gather(
                *(
                    _ingest(stage, mia, bars, title, file, clocks[title])
                    for title, file in files.items()
                )
            )
        tell_steps(stage.console, clocks)
        for title, media in zip(files, ended, strict=True):
            expect(media["state"] == "ready", f"{title} ended {media['state']}")
            stage.outcomes.append((title, _described(media), media["id"]))
        await _check_photo(mia, ended[2])
    return f"{len(files)} media ready"


async def _ingest(
    stage: Stage, client: ApiClient, bars: Progress, title: str, file: FileToSend, clock: StepClock
) -> JsonObject:
    media_id = await client.upload(file, title=title, visibility="gated")
    stage.media[title] = media_id
    async for _ in watch(client, media_id, bars=bars, title=title, clock=clock):
        pass
    return await client.media(media_id)


async def _check_photo(client: ApiClient, media: JsonObject) -> None:
    """Upright, and nothing of the camera's metadata is left."""
    expect(media["width"] > media["height"], "the turned photo was not put upright")
    largest = max(
        (each for each in media["renditions"] if each["name"].endswith(".jpg") and each["url"]),
        key=lambda each: each["width"] or 0,
    )
    answer = await client.fetch(largest["url"])
    with Image.open(io.BytesIO(answer.content)) as picture:
        expect(not dict(picture.getexif()), "a rendition still carries EXIF, GPS perhaps")
        expect(picture.width > picture.height, "the rendition lies on its side")


def _described(media: JsonObject) -> str:
    kinds = {each["kind"] for each in media["renditions"]}
    return f"{len(media['renditions'])} renditions: {', '.join(sorted(kinds))}"


async def play_as_viewers(stage: Stage) -> str:
    """A viewer with a right plays the video; a stranger is shown what would open it, no more."""
    video = stage.media["video"]
    grant(stage.settings, fan=stage.tom, creator=stage.mia)
    async with stage.client(stage.tom) as tom, stage.client(stage.sam) as sam:
        playback = await tom.playback(video)
        seconds = await asyncio.to_thread(_play, playback["hls_url"], "0:v:0")
        sound = await asyncio.to_thread(_play, playback["hls_url"], "0:a:0")
        whole = (await tom.media(video))["duration_seconds"]
        expect(abs(seconds - whole) <= max(0.05, whole * 0.01), f"{seconds} s of {whole} s played")
        expect(sound > whole * 0.9, f"{sound} s of sound in {whole} s of video")
        refused = await refusal(sam, video)
        expect(refused.status == 402, f"a stranger got {refused.status}")
        expect(bool(refused.body["offers"]), "the refusal names no offer")
        seen = await sam.media(video)
        kinds = {each["kind"] for each in seen["renditions"]}
        expect(kinds <= {"blur", "poster_blur", "teaser"}, f"a stranger sees {kinds}")
        await _nothing_without_signature(tom, playback)
    offers = ", ".join(offer["kind"] for offer in refused.body["offers"])
    return f"{seconds:.1f} s decoded for Tom; Sam got 402 with offers: {offers}"


async def refusal(client: ApiClient, media_id: str) -> Problem:
    """The problem that a playback is answered with.

    Raises:
        SceneFailed: it was granted.
    """
    try:
        await client.playback(media_id)
    except Problem as problem:
        return problem
    raise SceneFailed("playback was granted to somebody without a right")


async def _nothing_without_signature(client: ApiClient, playback: JsonObject) -> None:
    """The same addresses without their tokens open nothing."""
    for url in [playback["hls_url"], *(each["url"] for each in playback["renditions"])]:
        if url and "?" in url:
            answer = await client.fetch(url.partition("?")[0])
            expect(answer.status_code >= 400, f"{url} opens without its signature")


async def revoke_and_refuse(stage: Stage) -> str:
    """The viewer's right ends; the next playback and the next key are refused."""
    video = stage.media["video"]
    async with stage.client(stage.tom) as tom:
        playback = await tom.playback(video)
        revoke(stage.settings, fan=stage.tom, creator=stage.mia)
        problem = await refusal(tom, video)
        expect(problem.status == 402, f"after revocation Tom got {problem.status}")
        answer = await tom.fetch(playback["hls_url"])
        expect(answer.status_code >= 400, "an old playlist address still opens")
    return f"playback {problem.status}, old playlist {answer.status_code}"


def _play(url: str, stream: str) -> float:
    """Seconds of a stream that a player decodes; ffmpeg stands for the player."""
    ffmpeg = shutil.which("ffmpeg") or "ffmpeg"
    from_zero = ["-vf", "setpts=PTS-STARTPTS"] if ":v" in stream else []
    result = subprocess.run(
        [ffmpeg, "-nostdin", "-v", "error", "-progress", "pipe:1", "-allowed_extensions", "ALL",
         "-i", url, "-map", stream, *from_zero, "-f", "null", "-"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    expect(result.returncode == 0, f"the player failed: {result.stderr[-300:]}")
    times = [line for line in result.stdout.splitlines() if line.startswith("out_time_us=")]
    return int(times[-1].partition("=")[2]) / 1e6 if times else 0.0


async def refuse_bad_files(stage: Stage) -> str:
    """Malware and a decompression bomb end as refusals with a reason and a sentence."""
    codes = []
    async with stage.client(stage.mia) as mia:
        for file, code in (
            (material.infected(), "infected"),
            (material.bomb(), "decompression_bomb"),
        ):
            media = await mia.settle(await mia.upload(file, title=file.name))
            rejection = media["manage"]["rejection"] or {}
            expect(media["state"] == "rejected", f"{file.name} ended {media['state']}")
            expect(rejection.get("code") == code, f"{file.name} was refused for {rejection}")
            expect(not media["renditions"], f"something of {file.name} was published")
            stage.console.print(f"  {file.name}: [yellow]{code}[/]: {rejection['detail']}")
            stage.outcomes.append((file.name, f"rejected: {code}", media["id"]))
            codes.append(code)
    return ", ".join(codes)


async def kill_a_worker(stage: Stage) -> str:
    """A media worker is killed in the middle of a transcode; another one finishes the job."""
    temporal = await connect(stage.settings)
    async with stage.client(stage.mia) as mia:
        media_id = await mia.upload(
            material.long_video(stage.folder), title="long video", visibility="gated"
        )
        victim: str | None = None
        clock = StepClock()
        with progress_bars(stage.console) as bars:
            async for event in watch(mia, media_id, bars=bars, title="long video", clock=clock):
                if victim is None and (victim := await _kill_encoder(stage, temporal, media_id)):
                    stage.console.print(f"  [red]kill -9[/] {victim} at {event['percent']} %")
        tell_steps(stage.console, {"long video": clock})
        expect(victim is not None, "the transcode was over before its worker could be killed")
        media = await mia.media(media_id)
        expect(media["state"] == "ready", f"the video ended {media['state']}")
    resumed = await _resumed_from(temporal, media_id)
    expect(resumed > 0, "the second worker began again at the start")
    stage.outcomes.append(("long video", f"ready; resumed at segment {resumed}", media_id))
    stage.stack.start_apps()
    return f"{victim} killed, the other resumed at segment {resumed}"


async def _kill_encoder(stage: Stage, client: Client, media_id: str) -> str | None:
    """End the process that encodes this video, by its pid; None until a segment of it is stored
    and Temporal knows, which is what another worker can resume from."""
    description = await client.get_workflow_handle(f"ingest:{media_id}").describe()
    encoders = []
    for pending in description.raw_description.pending_activities:
        if pending.activity_type.name == "encode_video":
            told = await client.data_converter.decode(pending.heartbeat_details.payloads)
            if told and any(told[0]["by_rung"].values()):
                encoders.append(pending.last_worker_identity.partition("@")[0])
    for status in stage.stack.status():
        if status.name.startswith("worker-media") and str(status.pid) in encoders:
            stage.stack.kill(status.name)
            return status.name
    expect(not encoders, f"none of the media workers is encoding (encoders: {encoders})")
    return None


async def _resumed_from(client: Client, media_id: str) -> int:
    """What the finished activity says of its own start."""
    handle = client.get_workflow_handle(f"ingest:{media_id}")
    best = 0
    async for event in handle.fetch_history_events():
        if event.HasField("activity_task_completed_event_attributes"):
            payloads = event.activity_task_completed_event_attributes.result.payloads
            (result,) = await client.data_converter.decode(payloads)
            if isinstance(result, dict):
                best = max(best, int(result.get("resumed_from_segment", 0)))
    return best


async def delete_everything(stage: Stage) -> str:
    """The creator deletes the first photo; nothing of it is left in storage."""
    media_id = stage.media["photo"]
    async with stage.client(stage.mia) as mia:
        media = await mia.media(media_id)
        urls = [each["url"] for each in media["renditions"] if each["url"]]
        await mia.call("DELETE", f"/media/{media_id}")
        client = await connect(stage.settings)
        async with asyncio.timeout(30):
            await client.get_workflow_handle(f"delete-media:{media_id}").result()
        left = [url for url in urls if (await mia.fetch(url)).status_code == 200]
        expect(not left, f"{len(left)} renditions can still be fetched")
    return f"{len(urls)} renditions gone"
