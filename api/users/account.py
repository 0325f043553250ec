"""Routes of one's own account: profile, settings, handle, and what an app needs at start."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api import API_PREFIX
from api.answers import json_answer
from api.auth.callers import SignedIn, SignedInCaller
from api.etags import IfMatch, etag_of, require_if_match, require_match
from api.parts import ApiParts, Parts
from api.problems import PROBLEMS
from api.users import schemas
from api.users.views import bootstrap_json, me_body
from domain.media.states import Purpose
from infra.db import async_transaction
from infra.models import AuditEntry, User
from infra.queries import audit
from infra.queries.callers import load_caller
from infra.queries.users.editing import change_handle, check_picture
from infra.queries.users.own import own_bootstrap, own_profile

router = APIRouter(prefix=f"{API_PREFIX}/me", tags=["users"], responses=PROBLEMS)


@router.get("", operation_id="getMe")
async def get_me(response: Response, caller: SignedInCaller, parts: ApiParts) -> schemas.MeBody:
    """The caller's own account: profile, role, settings, and how much they follow and hold."""
    return await _shown(parts, caller, response)


@router.patch("", operation_id="editMe")
async def edit_me(
    patch: schemas.ProfilePatch,
    response: Response,
    caller: SignedInCaller,
    parts: ApiParts,
    if_match: IfMatch = None,
) -> schemas.MeBody:
    """Change name, bio, avatar or cover. Needs `If-Match` with the ETag of `GET /me`.

    A picture has to be the caller's own: uploaded as `avatar` or `cover`, ready, and public.
    """
    expected = require_if_match(if_match)
    changes = patch.model_dump(exclude_unset=True)
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller, lock=True)
        require_match(expected, user.version)
        for column, purpose in _PICTURES.items():
            if column in changes and changes[column] is not None:
                changes[column] = str(changes[column])
                await check_picture(
                    session, owner_id=user.id, media_id=changes[column], purpose=purpose
                )
        _edit(parts, user, changes)
    return await _shown(parts, caller, response)


@router.get("/settings", operation_id="getMySettings")
async def get_settings(
    response: Response, caller: SignedInCaller, parts: ApiParts
) -> schemas.UserSettings:
    """The caller's settings, each with its default where they chose nothing."""
    return (await _shown(parts, caller, response)).settings


@router.patch("/settings", operation_id="editMySettings")
async def edit_settings(
    patch: schemas.SettingsPatch,
    response: Response,
    caller: SignedInCaller,
    parts: ApiParts,
    if_match: IfMatch = None,
) -> schemas.UserSettings:
    """Change settings. Needs `If-Match`; profile and settings share one ETag."""
    expected = require_if_match(if_match)
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller, lock=True)
        require_match(expected, user.version)
        _edit(parts, user, {"settings": user.settings | patch.model_dump(exclude_unset=True)})
    return (await _shown(parts, caller, response)).settings


@router.put("/handle", operation_id="changeMyHandle")
async def put_handle(
    change: schemas.HandleChange,
    request: Request,
    response: Response,
    caller: SignedInCaller,
    parts: ApiParts,
) -> schemas.MeBody:
    """Take another handle, once in 30 days.

    The old one stays the caller's: nobody else can take it, and they may come back to it.
    Pictures and videos that carry the old one as a watermark keep it until they are
    processed again.
    """
    now = parts.now()
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller, lock=True)
        old = user.handle
        if await change_handle(session, user, change.handle, now=now):
            _edit(parts, user, {})
            entry = AuditEntry(
                actor_id=user.id,
                actor_name=old,
                action="user.handle_changed",
                subject_type="user",
                subject_id=user.id,
                request_id=request.scope.get("request_id"),
                detail={"old": old, "new": user.handle},
            )
            await session.run_sync(audit.record, entry)
    return await _shown(parts, caller, response)


@router.get("/bootstrap", operation_id="bootstrap", response_model=schemas.BootstrapBody)
async def get_bootstrap(caller: SignedInCaller, parts: ApiParts) -> Response:
    """Everything that an app needs when it starts, in one answer."""
    now = parts.now()
    found = await own_bootstrap(parts.reads, caller=caller.caller, now=now)
    return json_answer(bootstrap_json(parts, found, now))


_PICTURES = {"avatar_media_id": Purpose.AVATAR, "cover_media_id": Purpose.COVER}


def _edit(parts: Parts, user: User, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(user, name, value)
    user.version += 1
    user.updated_at = parts.now()


async def _shown(parts: Parts, caller: SignedIn, response: Response) -> schemas.MeBody:
    now = parts.now()
    profile = await own_profile(parts.reads, caller=caller.caller, now=now)
    response.headers["etag"] = etag_of(profile.version)
    return me_body(parts, profile, now)
