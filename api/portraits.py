"""Pictures of people, and people in lists, as every slice shows them.

Dicts that agree with the models beside them, for answers that are written as they are
(`api/answers.py`), and what is made of them for the others.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from api.media.addresses import rendition_url, urls_expire_at
from api.parts import Parts
from api.schemas import EXAMPLE_ID
from infra.queries.people import Person
from infra.queries.portraits import Portrait


class PictureSource(BaseModel):
    url: str
    content_type: str = Field(examples=["image/webp"])
    width: int | None
    height: int | None


class PictureBody(BaseModel):
    """One picture in one or more sizes, the smallest first."""

    thumbhash: str | None = Field(description="base64; what to show until the picture is there.")
    sources: list[PictureSource]
    urls_expire_at: datetime


class PersonBody(BaseModel):
    """Somebody, as they stand in a list."""

    id: str = Field(examples=[EXAMPLE_ID])
    handle: str = Field(examples=["mia"])
    display_name: str = Field(examples=["Mia Tanaka"])
    avatar: PictureBody | None


Json = dict[str, Any]


def picture_json(parts: Parts, portrait: Portrait | None, now: datetime) -> Json | None:
    """`PictureBody`, with addresses that hold as long as those of other media."""
    if portrait is None:
        return None
    sources = [
        {"url": url, "content_type": each.content_type, "width": each.width, "height": each.height}
        for each in portrait.sources
        if (url := rendition_url(parts, each)) is not None
    ]
    return {
        "thumbhash": portrait.thumbhash,
        "sources": sources,
        "urls_expire_at": urls_expire_at(parts, now),
    }


def person_json(parts: Parts, person: Person, now: datetime) -> Json:
    """`PersonBody`."""
    return {
        "id": person.id,
        "handle": person.handle,
        "display_name": person.display_name,
        "avatar": picture_json(parts, person.avatar, now),
    }


def person_body(parts: Parts, person: Person, now: datetime) -> PersonBody:
    return PersonBody.model_validate(person_json(parts, person, now))
