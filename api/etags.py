"""ETags of what can be edited: they count edits (RFC 9110 §8.8.3)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

from api.problems import PreconditionRequired
from domain.errors import PreconditionFailed

IfMatch = Annotated[str | None, Header(alias="if-match", max_length=200)]
"""The `If-Match` header of an edit."""


def etag_of(version: int) -> str:
    return f'"v{version}"'


def require_if_match(if_match: str | None) -> str:
    """The header's value.

    Raises:
        PreconditionRequired: 428; an edit without it could undo somebody else's.
    """
    if if_match is None:
        raise PreconditionRequired("Send the ETag of what you edit in `If-Match`.")
    return if_match


def require_match(if_match: str, version: int) -> None:
    """Does the header name this version (or `*`)?

    Raises:
        PreconditionFailed: 412; it was edited meanwhile.
    """
    tags = {tag.strip() for tag in if_match.split(",")}
    if "*" not in tags and etag_of(version) not in tags:
        raise PreconditionFailed("It was edited meanwhile. Read it again.", current_version=version)
