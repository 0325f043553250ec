"""What tests of people share: rows beside users, and how an answer is read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
from sqlalchemy import Engine

from infra.db import transaction
from infra.ids import new_id
from infra.models import Block, Creator, Follow, Media, Rendition, User
from infra.storage import Storage

ME, CREATORS = "/api/v1/me", "/api/v1/creators"
Json = dict[str, Any]


def refused(answer: httpx.Response, status: int, code: str) -> Json:
    body: Json = answer.json()
    assert (answer.status_code, body.get("code")) == (status, code), answer.text
    facts: Json = body.get("facts", {})
    return facts


def etag_of_me(client: httpx.Client) -> str:
    return str(client.get(ME).headers["etag"])


def edit(client: httpx.Client, path: str = ME, **changes: Any) -> httpx.Response:
    headers = {"if-match": etag_of_me(client)}
    return client.patch(path, json=changes, headers=headers)


def change_user(engine: Engine, user: User, **columns: Any) -> None:
    with transaction(engine) as session:
        row = session.get_one(User, user.id)
        for name, value in columns.items():
            setattr(row, name, value)


def suspend(engine: Engine, user: User) -> None:
    change_user(engine, user, suspended_at=datetime.now(UTC))


def close(engine: Engine, user: User) -> None:
    change_user(engine, user, deleted_at=datetime.now(UTC))


def follow_row(engine: Engine, fan: User, creator: User) -> None:
    with transaction(engine) as session:
        session.add(Follow(fan_id=fan.id, creator_id=creator.id))
        session.get_one(Creator, creator.id).follower_count += 1


def block_row(engine: Engine, blocker: User, blocked: User) -> None:
    with transaction(engine) as session:
        session.add(Block(blocker_id=blocker.id, blocked_id=blocked.id))


def block_country(engine: Engine, creator: User, *countries: str) -> None:
    with transaction(engine) as session:
        session.get_one(Creator, creator.id).blocked_countries = list(countries)


def draw(engine: Engine, storage: Storage, media: Media) -> None:
    """Renditions of an avatar or cover, as ingest leaves them."""
    sizes = {"thumbnail": (256,), "image": (320, 640, 1440, 2048)}
    with transaction(engine) as session:
        session.get_one(Media, media.id).published_generation = 1
        for kind, widths in sizes.items():
            for width in widths:
                for extension, content_type in (("webp", "image/webp"), ("jpg", "image/jpeg")):
                    name = f"{kind}{width}.{extension}"
                    session.add(
                        Rendition(
                            id=new_id(),
                            media_id=media.id,
                            generation=1,
                            kind=kind,
                            name=name,
                            content_type=content_type,
                            bucket=storage.media,
                            object_key=f"m/{media.id}/1/{name}",
                            bytes=1000,
                            width=width,
                            height=width,
                            meta={},
                        )
                    )
