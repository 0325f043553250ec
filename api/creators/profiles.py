"""Routes of creators as others meet them: a profile by its handle, and search by name."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Path, Query, Response

from api import API_PREFIX
from api.answers import json_answer
from api.auth.callers import AnyCaller
from api.creators import schemas
from api.parts import ApiParts, Parts
from api.portraits import Json, person_json, picture_json
from api.problems import PROBLEMS
from domain.accounts import HANDLE_PATTERN
from domain.searching import clean_query, cursor_for_place, place_from
from infra.queries.creators.profiles import CreatorProfile, no_such_creator, open_profile
from infra.queries.creators.searching import FoundCreator, search_creators

router = APIRouter(prefix=f"{API_PREFIX}/creators", tags=["creators"], responses=PROBLEMS)

Handle = Annotated[str, Path(max_length=64, examples=["mia"])]
IfNoneMatch = Annotated[str | None, Header(alias="if-none-match", max_length=400)]
_HANDLE = re.compile(HANDLE_PATTERN)


@router.get("", operation_id="searchCreators", response_model=schemas.FoundCreatorPage)
async def search(
    query: Annotated[schemas.SearchQuery, Query()], caller: AnyCaller, parts: ApiParts
) -> Response:
    """Creators by name: the handle itself first, then what begins with `q`, a word that does,
    and names that resemble it.

    Left out are creators who don't want to be found, and those of whom the caller may not know.
    """
    now = parts.now()
    after = place_from(query.cursor) if query.cursor is not None else None
    found, has_more = await search_creators(
        parts.reads, caller=caller, query=clean_query(query.q), after=after, limit=query.limit
    )
    return json_answer(
        {
            "data": [_found_json(parts, each, now) for each in found],
            "next_cursor": cursor_for_place(found[-1].place) if has_more else None,
            "has_more": has_more,
        }
    )


@router.get(
    "/{handle}",
    operation_id="getCreator",
    response_model=schemas.CreatorBody,
    responses={304: {"description": "It is still as `If-None-Match` names it."}},
)
async def get_creator(
    handle: Handle, caller: AnyCaller, parts: ApiParts, if_none_match: IfNoneMatch = None
) -> Response:
    """A creator's public profile, and how the caller stands to them.

    404 if there is none, as for those of whom the caller may not know.
    """
    now = parts.now()
    name = handle.lower()
    if not _HANDLE.fullmatch(name):
        raise no_such_creator()
    profile = await open_profile(parts.reads, caller=caller, handle=name, now=now)
    headers = {"etag": _etag_of(parts, profile, now), "cache-control": "private, no-cache"}
    if if_none_match is not None and headers["etag"] in _tags(if_none_match):
        return Response(status_code=304, headers=headers)
    return json_answer(_creator_json(parts, profile, now), headers=headers)


def _creator_json(parts: Parts, profile: CreatorProfile, now: datetime) -> Json:
    """`schemas.CreatorBody`."""
    return {
        **person_json(parts, profile.person, now),
        "bio": profile.bio,
        "cover": picture_json(parts, profile.cover, now),
        "follower_count": profile.follower_count,
        "post_count": profile.post_count,
        "creator_since": profile.creator_since,
        "viewer": {
            "follows": profile.follows,
            "subscribed": profile.subscribed,
            "subscribed_until": profile.subscribed_until,
        },
    }


def _found_json(parts: Parts, found: FoundCreator, now: datetime) -> Json:
    """`schemas.FoundCreatorBody`."""
    return {**person_json(parts, found.person, now), "follower_count": found.follower_count}


def _etag_of(parts: Parts, profile: CreatorProfile, now: datetime) -> str:
    """Made of all that the answer tells, and of half the time that its addresses hold: who is
    told that nothing has changed still has addresses to use (RFC 9110 §8.8.1)."""
    window = int(now.timestamp()) // max(1, parts.settings.playback_url_ttl_seconds // 2)
    told = hashlib.blake2b(orjson.dumps([window, profile]), digest_size=12)
    return f'W/"{told.hexdigest()}"'


def _tags(if_none_match: str) -> set[str]:
    return {tag.strip() for tag in if_none_match.split(",")}
