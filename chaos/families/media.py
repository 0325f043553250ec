"""Uploads, deletions and posts that are due."""

from __future__ import annotations

import io
import secrets
from datetime import UTC, datetime, timedelta

from PIL import Image

from chaos.asking import Asking
from chaos.work import Family, Round
from devstack.client import FileToSend, Problem
from devstack.people import Person
from domain.ids import delete_workflow_id, ingest_workflow_id, publish_workflow_id
from infra.ids import new_id

DUE_SECONDS = 2.0
SIDE = 160


def photo() -> FileToSend:
    """A picture like no other."""
    picture = Image.frombytes("RGB", (SIDE, SIDE), secrets.token_bytes(3 * SIDE * SIDE))
    buffer = io.BytesIO()
    picture.resize((4 * SIDE, 3 * SIDE)).save(buffer, "JPEG")
    return FileToSend("noise.jpg", buffer.getvalue(), "image/jpeg")


async def send_file(round_: Round, owner: Person, file: FileToSend) -> str:
    """As `ApiClient.upload`, and each call until it has an answer; the media's id."""
    async with round_.stage.asking(owner) as ask:
        wish = {
            "file_name": file.name,
            "size_bytes": len(file.content),
            "content_type": file.content_type,
            "sha256": file.sha256,
        }
        upload = await ask("POST", "/uploads", {**wish, "title": file.name})
        await ask.until_sent(upload, file.content)
        await ask("POST", f"/uploads/{upload['id']}/complete", {})
    media_id = str(upload["media_id"])
    round_.media_ids.append(media_id)
    return media_id


class Uploads(Family):
    """A video that is under way for a while, and a photo."""

    name = "media"
    workflows = ("IngestMedia",)
    moves_money = False

    async def begin(self) -> None:
        for file in (self.stage.video, photo()):
            await self.send(file)

    async def send(self, file: FileToSend) -> None:
        owner = await self.round.creator("films")
        media_id = await send_file(self.round, owner, file)
        self.acknowledge(
            f"{file.name} {media_id}",
            ingest_workflow_id(media_id),
            lambda: self.seen(owner, f"/media/{media_id}", "state"),
            "ready",
        )


class Deletions(Family):
    """A photo that is ready goes everywhere."""

    name = "deletions"
    workflows = ("DeleteMedia",)
    moves_money = False

    async def prepare(self) -> None:
        self._owner = await self.round.creator("deletes")
        self._media_id = await send_file(self.round, self._owner, photo())
        async with self.stage.asking(self._owner) as ask:
            await ask.until(f"/media/{self._media_id}", "state", "ready")

    async def begin(self) -> None:
        async with self.stage.asking(self._owner) as ask:
            await ask("DELETE", f"/media/{self._media_id}", if_done=(404,))
        run_id = delete_workflow_id(self._media_id)
        self.acknowledge(f"deletion {self._media_id}", run_id, self._look, "gone")

    async def _look(self) -> str:
        rows = await self.stage.rows(
            "SELECT state FROM media WHERE id = :id AND state <> 'deleted'", id=self._media_id
        )
        if rows:
            return str(rows[0][0])
        left = await self.stage.objects_of(self._media_id)
        return f"{len(left)} objects left" if left else "gone"


class Posts(Family):
    """A post that is due in the middle of the fault."""

    name = "posts"
    workflows = ("PublishPost",)
    moves_money = False

    async def prepare(self) -> None:
        self._owner = await self.round.creator("writes")
        async with self.stage.asking(self._owner) as ask:
            self._post = await ask("POST", "/posts", {"body": "Soon.", "audience": "public"})

    async def begin(self) -> None:
        path = f"/posts/{self._post['id']}"
        async with self.stage.asking(self._owner) as ask:
            while not await self._scheduled(ask, path):
                pass
        self.acknowledge(
            f"post {self._post['id']}",
            publish_workflow_id(self._post["id"]),
            lambda: self.seen(self._owner, path, "state"),
            "published",
        )

    async def _scheduled(self, ask: Asking, path: str) -> bool:
        """False: nobody answered until the moment was past, and the post is still a draft."""
        at = datetime.now(UTC) + timedelta(seconds=DUE_SECONDS)
        try:
            await ask("PUT", f"{path}/schedule", {"publish_at": at.isoformat()}, if_done=(409,))
        except Problem as problem:
            if problem.status != 422:
                raise
            post = await ask("GET", path)
            return bool(post["state"] != "draft")
        return True


class Mails(Family):
    """Somebody registers, and has to be written to."""

    name = "mail"
    workflows = ("SendMail",)
    moves_money = False

    async def begin(self) -> None:
        handle = f"new-{new_id()[-12:]}"
        address = f"{handle}@example.com"
        wish = {"handle": handle, "email": address, "password": secrets.token_urlsafe(18)}
        async with self.stage.asking(None) as ask:
            await ask("POST", "/auth/register", {**wish, "display_name": "New"}, if_done=(409,))

        async def look() -> str:
            return "sent" if self.stage.mailbox.mails(to=address) else "not in the mailbox"

        self.acknowledge(f"mail to {address}", f"mail: of {handle}", look, "sent")
