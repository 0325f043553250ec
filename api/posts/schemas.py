"""Bodies of requests and answers about posts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from api.contract.bulk import BulkIds
from api.media.schemas import AccessBody, RenditionBody
from api.portraits import PersonBody
from api.schemas import EXAMPLE_ID, Body, Page, PlainText, UuidText
from domain.media.states import MediaKind, MediaState
from domain.posts import BODY_CHARS_MAX, COMMENT_CHARS_MAX, MEDIA_MAX, Audience, PostState

PostText = Annotated[PlainText, StringConstraints(max_length=BODY_CHARS_MAX)]
CommentText = Annotated[PlainText, StringConstraints(min_length=1, max_length=COMMENT_CHARS_MAX)]
MediaIds = Annotated[
    list[UuidText],
    Field(
        max_length=MEDIA_MAX,
        description="The author's own media of purpose `post`, in the order to be shown.",
    ),
]
TierId = Annotated[
    UuidText | None,
    Field(
        description="With `tier`: the least tier that opens it. With `paid`: whose subscribers "
        "need not pay."
    ),
]
PriceMinor = Annotated[
    int | None, Field(ge=1, le=10**9, description="With `paid`: in minor units of `currency`.")
]
Currency = Annotated[
    Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")] | None,
    Field(description="With `paid`: ISO 4217.", examples=["USD"]),
]
PublishAt = Annotated[AwareDatetime, Field(description="With its offset from UTC.")]


class PostCreate(Body):
    """A post. It needs a text or a media to be published."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "body": "Behind the scenes of yesterday",
                    "media_ids": [EXAMPLE_ID],
                    "audience": "paid",
                    "price_minor": 500,
                    "currency": "USD",
                    "state": "draft",
                }
            ]
        }
    )

    body: PostText = ""
    media_ids: MediaIds = Field(default_factory=list)
    audience: Audience = Audience.SUBSCRIBERS
    tier_id: TierId = None
    price_minor: PriceMinor = None
    currency: Currency = None
    comments_enabled: bool = True
    state: Literal["draft", "scheduled", "published"] = Field(
        default="draft", description="`published`: now. `scheduled`: at `publish_at`."
    )
    publish_at: PublishAt | None = None


class PostPatch(Body):
    """Only what is given is changed.

    A new `audience` drops the tier and price of the old one. Once published, a post keeps its
    media, does not begin or cease to be paid, and keeps its currency.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"body": "With a better ending"}]})

    body: PostText = ""
    media_ids: MediaIds = Field(default_factory=list)
    audience: Audience = Audience.SUBSCRIBERS
    tier_id: TierId = None
    price_minor: PriceMinor = None
    currency: Currency = None
    comments_enabled: bool = True


class ScheduleRequest(Body):
    """When to publish."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"publish_at": "2030-05-01T18:00:00+02:00"}]}
    )

    publish_at: PublishAt


class PostMediaBody(BaseModel):
    """A media of a post. Locked: kind, size, duration and blurred previews only.

    Lists carry one picture of each; the post itself carries every rendition. What is streamed is
    played through `POST /media/{media_id}/playback`.
    """

    id: str
    kind: MediaKind
    state: MediaState
    width: int | None
    height: int | None
    duration_seconds: float | None
    thumbhash: str | None
    title: str | None
    alt_text: str | None
    renditions: list[RenditionBody]


class PostManageBody(BaseModel):
    """What only its author and staff see."""

    version: int
    publish_at: AwareDatetime | None
    updated_at: AwareDatetime
    taken_down_at: AwareDatetime | None
    taken_down_reason: str | None = Field(description="What staff wrote to its author.")


class PostBody(BaseModel):
    """A post as this viewer may see it.

    Locked (`access.allowed` false): `body` and the counts are null, and the media are blurred;
    `access.offers` says what would open it.
    """

    id: str = Field(examples=[EXAMPLE_ID])
    author: PersonBody
    state: PostState
    audience: Audience
    tier_id: str | None
    price_minor: int | None
    currency: str | None
    access: AccessBody
    body: str | None
    media: list[PostMediaBody]
    media_count: int
    urls_expire_at: AwareDatetime | None = Field(
        description="Until when the signed addresses in `media` hold."
    )
    comments_enabled: bool
    like_count: int | None
    comment_count: int | None
    liked: bool = Field(description="By this viewer.")
    created_at: AwareDatetime
    published_at: AwareDatetime | None
    edited_at: AwareDatetime | None = Field(description="Of the last edit since publication.")
    pinned_at: AwareDatetime | None
    manage: PostManageBody | None


class PostPage(Page):
    data: list[PostBody]


class LikeBody(BaseModel):
    liked: bool
    like_count: int | None = Field(description="Null where the post is locked.")


class PostsAccessRequest(Body):
    post_ids: Annotated[list[UuidText], Field(min_length=1, description="Up to 100.")]


class PostsAccessItem(AccessBody):
    post_id: str


class PostsAccessBody(BaseModel):
    """One decision for each id, in the order asked."""

    data: list[PostsAccessItem]


class PostsDeleteRequest(Body):
    post_ids: BulkIds


class CommentWrite(Body):
    """A comment's text."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"body": "Lovely light!"}]})

    body: CommentText


class CommentBody(BaseModel):
    id: str = Field(examples=[EXAMPLE_ID])
    post_id: str
    author: PersonBody
    body: str
    version: int = Field(description='Its ETag is `"v{version}"`.')
    created_at: AwareDatetime
    edited_at: AwareDatetime | None


class CommentPage(Page):
    data: list[CommentBody]
