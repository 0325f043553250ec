"""Bodies of requests and answers. Requests refuse fields that they don't know."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.problems import OfferBody
from api.schemas import EXAMPLE_ID, Body, Page, PlainText, UuidText
from domain.access import Decision, Reason
from domain.media.states import MediaKind, MediaState, Purpose, RenditionKind, Visibility

PARTS_BATCH_MAX = 100


Title = Annotated[PlainText, StringConstraints(max_length=300)]
AltText = Annotated[PlainText, StringConstraints(max_length=2000)]


# --- uploads ---------------------------------------------------------------------------------


class TeaserBody(Body):
    """The part of a video that anyone may see."""

    start_seconds: float = Field(default=0, ge=0, le=86_400)
    duration_seconds: float = Field(ge=1, le=3600)


class UploadCreate(Body):
    """A file that is about to be sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "file_name": "beach.mp4",
                    "size_bytes": 73400320,
                    "content_type": "video/mp4",
                    "visibility": "gated",
                    "title": "A day at the beach",
                    "teaser": {"start_seconds": 12, "duration_seconds": 10},
                }
            ]
        }
    )

    file_name: Annotated[PlainText, StringConstraints(min_length=1, max_length=255)]
    size_bytes: int = Field(ge=1, le=2**50)
    content_type: Annotated[
        str, StringConstraints(max_length=127, pattern=r"^[A-Za-z0-9!#$&^_.+/; =\"-]*$")
    ] = Field(default="", description="As the client knows it; empty if it doesn't.")
    kind: MediaKind | None = Field(
        default=None, description="Only needed where the type leaves it open."
    )
    purpose: Purpose = Purpose.POST
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] | None = None
    visibility: Visibility | None = Field(
        default=None, description="Default: `private`; avatars and covers are `public`."
    )
    watermark: bool | None = Field(
        default=None, description="Mark renditions with the handle. Default: the creator's choice."
    )
    teaser: TeaserBody | None = None
    title: Title | None = None
    alt_text: AltText | None = None


class SignedPut(BaseModel):
    """Send the bytes by PUT to `url`, with exactly these headers."""

    url: str
    headers: dict[str, str]
    expires_at: datetime


class SignedPart(SignedPut):
    number: int = Field(ge=1)
    size_bytes: int


class UploadBody(BaseModel):
    """An upload: how to send the bytes, and how it stands."""

    id: str = Field(examples=[EXAMPLE_ID])
    media_id: str = Field(examples=[EXAMPLE_ID])
    state: Literal["open", "completed", "aborted", "expired"]
    media_state: MediaState
    file_name: str
    size_bytes: int
    content_type: str
    method: Literal["put", "multipart"]
    part_bytes: int
    part_count: int
    put: SignedPut | None = Field(default=None, description="Where `method` is `put`.")
    parts: list[SignedPart] = Field(
        default_factory=list,
        description="First addresses of a multipart upload; ask for others by number.",
    )
    expires_at: datetime
    created_at: datetime
    completed_at: datetime | None = None


class PartsRequest(Body):
    """Numbers of parts (from 1) to sign addresses for."""

    numbers: Annotated[list[int], Field(min_length=1, max_length=PARTS_BATCH_MAX)]


class SignedParts(BaseModel):
    parts: list[SignedPart]


class ArrivedPartBody(BaseModel):
    number: int
    size_bytes: int
    etag: str


class ArrivedParts(BaseModel):
    """What storage holds of an open upload."""

    part_count: int
    part_bytes: int
    arrived: list[ArrivedPartBody]
    missing: list[int]


class CompletedPart(Body):
    number: int = Field(ge=1, le=10_000)
    etag: Annotated[str, StringConstraints(min_length=1, max_length=256)] = Field(
        examples=['"9b2cf535f27731c974343645a3985328"']
    )


class UploadComplete(Body):
    """Optional: the parts as the client knows them, compared with what arrived."""

    parts: Annotated[list[CompletedPart], Field(max_length=10_000)] | None = Field(
        default=None,
        examples=[[{"number": 1, "etag": '"9b2cf535f27731c974343645a3985328"'}]],
    )


# --- media -----------------------------------------------------------------------------------


class AccessBody(BaseModel):
    """What was decided for this viewer."""

    allowed: bool
    reason: Reason
    expires_at: datetime | None = None
    offers: list[OfferBody] = Field(default_factory=list)

    @classmethod
    def of(cls, decision: Decision) -> AccessBody:
        return cls(
            allowed=decision.allowed,
            reason=decision.reason,
            expires_at=decision.expires_at,
            offers=[OfferBody.of(offer) for offer in decision.offers],
        )


class RenditionBody(BaseModel):
    """A picture, track or sheet. What is streamed has no `url`: ask for playback."""

    kind: RenditionKind
    name: str
    content_type: str
    bytes: int
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    url: str | None = None


class ProgressBody(BaseModel):
    step: str | None
    percent: int = Field(ge=0, le=100)
    note: str | None
    needs_attention: bool


class RejectionBody(BaseModel):
    code: str = Field(examples=["corrupt_media"])
    detail: str


class ManageBody(BaseModel):
    """What only the owner and staff see."""

    purpose: Purpose
    file_name: str
    version: int
    original_bytes: int
    original_sha256: str | None
    content_type: str | None
    generation: int
    published_generation: int | None
    progress: ProgressBody
    rejection: RejectionBody | None = None
    moderation_outcome: str | None
    moderation_labels: list[Any]
    updated_at: datetime
    playable_at: datetime | None
    ready_at: datetime | None


class MediaBody(BaseModel):
    """A media as this viewer may see it.

    Locked (`access.allowed` false): previews, kind, size and duration only.
    """

    id: str = Field(examples=[EXAMPLE_ID])
    owner_id: str
    kind: MediaKind
    state: MediaState
    visibility: Visibility
    access: AccessBody
    width: int | None
    height: int | None
    duration_seconds: float | None
    thumbhash: str | None
    title: str | None = None
    alt_text: str | None = None
    renditions: list[RenditionBody]
    urls_expire_at: datetime | None = Field(
        description="Until when the signed addresses in `renditions` hold."
    )
    created_at: datetime
    manage: ManageBody | None = None


class MediaItem(BaseModel):
    """One of the owner's own media in a list."""

    id: str
    kind: MediaKind
    state: MediaState
    visibility: Visibility
    purpose: Purpose
    title: str | None
    file_name: str
    original_bytes: int
    width: int | None
    height: int | None
    duration_seconds: float | None
    thumbhash: str | None
    thumbnail_url: str | None
    progress: ProgressBody
    rejection: RejectionBody | None = None
    created_at: datetime


class MediaPage(Page):
    data: list[MediaItem]


class MediaPatch(Body):
    """Only what is given is changed; `null` clears a text."""

    title: Title | None = Field(default=None, examples=["A day at the beach"])
    alt_text: AltText | None = None
    visibility: Visibility = Visibility.PRIVATE


class ReprocessRequest(Body):
    """Which renditions to make again; all if none is named."""

    renditions: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]],
        Field(max_length=50),
    ] = Field(default_factory=list, examples=[["720p"]])


class PlaybackBody(BaseModel):
    """Short-lived addresses of a media that the viewer may see in full."""

    media_id: str
    kind: MediaKind
    access: AccessBody
    hls_url: str | None = Field(
        default=None, description="Master playlist of video and audio; carries its own token."
    )
    storyboard_url: str | None = Field(default=None, description="WebVTT with sprite tiles.")
    renditions: list[RenditionBody]
    expires_at: datetime


class BatchAccessRequest(Body):
    media_ids: Annotated[list[UuidText], Field(min_length=1, description="Up to 100.")]


class BatchAccessItem(AccessBody):
    media_id: str


class BatchAccessBody(BaseModel):
    """One decision for each id, in the order asked."""

    data: list[BatchAccessItem]


class ProgressEventBody(BaseModel):
    """Data of the events `progress` and `done`."""

    media_id: str
    generation: int
    state: MediaState
    step: str | None
    percent: int
    note: str | None
    needs_attention: bool = False
    rejection: RejectionBody | None = None
    at: datetime
