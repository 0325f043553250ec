"""What bodies of requests and answers share."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from domain.profiles import clean_display_name

EXAMPLE_ID = "0192f0c1-e3f8-7b0d-9a4f-5f5d8e1c2b3a"


def _plain(text: str) -> str:
    """Postgres takes no NUL, and no other control character belongs in a name or a title."""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t":
            raise ValueError("control characters are not allowed")
    return text


PlainText = Annotated[str, AfterValidator(_plain), StringConstraints(strip_whitespace=True)]
DisplayName = Annotated[
    str, StringConstraints(min_length=1, max_length=200), AfterValidator(clean_display_name)
]
"""As people are called; up to 50 characters once spaces are tidied up."""


UuidText = Annotated[
    str,
    StringConstraints(
        pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", to_lower=True
    ),
    Field(json_schema_extra={"format": "uuid"}, examples=[EXAMPLE_ID]),
]
"""A UUID that stays text: for long lists, where making objects of them takes time."""


class Body(BaseModel):
    """What a client sends. Refuses fields that it doesn't know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PageQuery(BaseModel):
    """Where a page of a list begins and how long it may be."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=20, ge=1, le=100)
    cursor: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="`next_cursor` of the page before."
    )


class Page(BaseModel):
    """Base of pages; each adds `data`."""

    next_cursor: str | None = Field(description="For the next page; null on the last one.")
    has_more: bool
