"""Files that mean harm, or are none, among good ones. All are made here."""

from __future__ import annotations

from collections.abc import Sequence

from chaos.families.media import photo, send_file
from chaos.faults.fault import Fault, nothing
from chaos.stage import Stage
from chaos.work import Round, Work
from devstack.clamd import eicar
from devstack.client import FileToSend
from devstack.demo import material
from devstack.people import Person
from domain.ids import ingest_workflow_id

FAMILY = "media"
BOMB_SIDE = 40_000


def poison(stage: Stage) -> list[FileToSend]:
    """Each is refused for a reason of its own."""
    good, video = photo().content, stage.video.content
    return [
        FileToSend("infected.jpg", good + eicar(), "image/jpeg"),
        material.bomb(BOMB_SIDE),
        FileToSend("half.jpg", good[: len(good) // 2], "image/jpeg"),
        FileToSend("cut.mp4", video[: len(video) // 3], "video/mp4"),
        FileToSend("letter.jpg", b"%PDF-1.7\n%%EOF\n", "image/jpeg"),
        FileToSend("picture.mp4", good, "video/mp4"),
        FileToSend("nothing.png", bytes(5000), "image/png"),
    ]


async def send_poison(round_: Round) -> None:
    owner = await round_.creator("poisons")
    for file in poison(round_.stage):
        media_id = await send_file(round_, owner, file)
        round_.acknowledge(_refused(round_.stage, owner, file.name, media_id))


def _refused(stage: Stage, owner: Person, name: str, media_id: str) -> Work:
    async def look() -> str:
        async with stage.asking(owner) as ask:
            media = await ask.client.call("GET", f"/media/{media_id}")
        return str(media["state"])

    run_id = ingest_workflow_id(media_id)
    return Work(FAMILY, f"{name} {media_id}", run_id, look, frozenset({"rejected"}))


FAULTS: Sequence[Fault] = (
    Fault(
        "poison-files",
        "infected, cut off, wrongly named and exploding files among good ones",
        send_poison,
        nothing,
        lasts_seconds=0,
    ),
)
