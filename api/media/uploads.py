"""Routes of uploads. The bytes go straight to storage; only their addresses go through here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal, cast
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Body, Response

from api import API_PREFIX
from api.auth.callers import SignedInCaller
from api.media import schemas
from api.media.completion import complete_upload, missing_parts
from api.media.uploading import abort_upload, lost, open_upload, plan_of, require_open
from api.parts import ApiParts, Parts
from api.problems import PROBLEMS
from domain.access import Caller
from domain.errors import Conflict, NotFound
from domain.media.states import MediaState
from infra.db import async_transaction
from infra.models import Media, Upload
from infra.queries.uploads import load_upload
from infra.storage import SignedRequest

router = APIRouter(prefix=f"{API_PREFIX}/uploads", tags=["uploads"], responses=PROBLEMS)


@router.post("", operation_id="createUpload", status_code=201)
async def create_upload(
    wish: schemas.UploadCreate, response: Response, caller: SignedInCaller, parts: ApiParts
) -> schemas.UploadBody:
    """Announce a file and get addresses to send it to.

    Type, size and quota are judged here, before a byte is sent. Up to 16 MiB go in one PUT;
    larger files in parts, of which the first addresses are in the answer. Addresses hold for
    half an hour and can be asked for again; the upload itself expires after a day.
    """
    upload, media = await open_upload(parts, caller=caller.caller, wish=wish, now=parts.now())
    response.headers["location"] = f"{API_PREFIX}/uploads/{upload.id}"
    return _body(parts, upload, media)


@router.get("/{upload_id}", operation_id="getUpload")
async def get_upload(
    upload_id: UUID, caller: SignedInCaller, parts: ApiParts
) -> schemas.UploadBody:
    """How an upload stands, with fresh addresses while it is open."""
    upload, media = await _load(parts, upload_id, caller.caller)
    return _body(parts, upload, media)


@router.post("/{upload_id}/parts", operation_id="signUploadParts")
async def sign_parts(
    upload_id: UUID, request: schemas.PartsRequest, caller: SignedInCaller, parts: ApiParts
) -> schemas.SignedParts:
    """Addresses for a batch of parts, also for ones that were signed or sent before."""
    upload, _ = await _load(parts, upload_id, caller.caller)
    require_open(upload, now=parts.now())
    _require_multipart(upload)
    return schemas.SignedParts(parts=_signed_parts(parts, upload, sorted(set(request.numbers))))


@router.get("/{upload_id}/parts", operation_id="listUploadParts")
async def list_parts(
    upload_id: UUID, caller: SignedInCaller, parts: ApiParts
) -> schemas.ArrivedParts:
    """What has arrived, so that an interrupted upload goes on where it stopped."""
    upload, _ = await _load(parts, upload_id, caller.caller)
    require_open(upload, now=parts.now())
    multipart_id = _require_multipart(upload)
    try:
        arrived = await to_thread.run_sync(
            parts.storage.list_parts, upload.object_key, multipart_id
        )
    except NotFound:
        raise lost(upload) from None
    return schemas.ArrivedParts(
        part_count=upload.part_count,
        part_bytes=upload.part_bytes,
        arrived=[
            schemas.ArrivedPartBody(number=part.number, size_bytes=part.bytes, etag=part.etag)
            for part in arrived
        ],
        missing=missing_parts(arrived, plan=plan_of(upload)),
    )


@router.post("/{upload_id}/complete", operation_id="completeUpload", status_code=202)
async def complete(
    upload_id: UUID,
    response: Response,
    caller: SignedInCaller,
    parts: ApiParts,
    request: Annotated[schemas.UploadComplete | None, Body()] = None,
) -> schemas.UploadBody:
    """Join what arrived and start processing. Repeating it is safe.

    The answer's `Location` is the media, whose state and events tell how processing goes.
    """
    upload, media = await complete_upload(
        parts,
        upload_id=str(upload_id),
        caller=caller.caller,
        claimed=request.parts if request else None,
    )
    response.headers["location"] = f"{API_PREFIX}/media/{media.id}"
    return _body(parts, upload, media)


@router.delete("/{upload_id}", operation_id="abortUpload", status_code=204)
async def abort(upload_id: UUID, caller: SignedInCaller, parts: ApiParts) -> None:
    """Give an upload up and delete what has arrived. Repeating it is safe."""
    await abort_upload(parts, upload_id=str(upload_id), caller=caller.caller)


async def _load(parts: Parts, upload_id: UUID, caller: Caller) -> tuple[Upload, Media]:
    async with async_transaction(parts.engine) as session:
        return await load_upload(session, upload_id=str(upload_id), caller=caller)


def _require_multipart(upload: Upload) -> str:
    if not plan_of(upload).multipart:
        raise Conflict("This upload is one PUT and has no parts.", code="not_multipart")
    if upload.multipart_id is None:
        raise lost(upload)
    return upload.multipart_id


def _body(parts: Parts, upload: Upload, media: Media) -> schemas.UploadBody:
    plan = plan_of(upload)
    takes_bytes = upload.state == "open" and upload.expires_at > parts.now()
    state = "expired" if upload.state == "open" and not takes_bytes else upload.state
    first = range(1, min(upload.part_count, schemas.PARTS_BATCH_MAX) + 1)
    return schemas.UploadBody(
        id=upload.id,
        media_id=media.id,
        state=cast(Literal["open", "completed", "aborted", "expired"], state),
        media_state=MediaState(media.state),
        file_name=media.file_name,
        size_bytes=upload.declared_bytes,
        content_type=upload.declared_type,
        method="multipart" if plan.multipart else "put",
        part_bytes=upload.part_bytes,
        part_count=upload.part_count,
        put=_signed_put(parts, upload) if takes_bytes and not plan.multipart else None,
        parts=_signed_parts(parts, upload, first) if takes_bytes and upload.multipart_id else [],
        expires_at=upload.expires_at,
        created_at=upload.created_at,
        completed_at=upload.completed_at,
    )


def _signed_put(parts: Parts, upload: Upload) -> schemas.SignedPut:
    signed = parts.storage.presign_put(
        upload.object_key,
        content_type=upload.declared_type,
        size_bytes=upload.declared_bytes,
        sha256=upload.declared_sha256,
    )
    return schemas.SignedPut(
        url=signed.url, headers=dict(signed.headers), expires_at=_links_expire_at(parts)
    )


def _signed_parts(
    parts: Parts, upload: Upload, numbers: range | list[int]
) -> list[schemas.SignedPart]:
    plan = plan_of(upload)
    assert upload.multipart_id is not None
    sizes: dict[int, int | None] = {number: plan.bytes_of_part(number) for number in numbers}
    signed: dict[int, SignedRequest] = parts.storage.presign_parts(
        upload.object_key, upload.multipart_id, sizes
    )
    expires_at = _links_expire_at(parts)
    return [
        schemas.SignedPart(
            number=number,
            size_bytes=plan.bytes_of_part(number),
            url=request.url,
            headers=dict(request.headers),
            expires_at=expires_at,
        )
        for number, request in signed.items()
    ]


def _links_expire_at(parts: Parts) -> datetime:
    return parts.now() + timedelta(seconds=parts.settings.upload_link_ttl_seconds)
