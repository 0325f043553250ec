"""Bodies of messages and conversations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from api.media.schemas import AccessBody
from api.portraits import PersonBody
from api.posts.schemas import PostMediaBody
from api.schemas import EXAMPLE_ID, Body, Page, PlainText, UuidText
from domain.messages import BODY_CHARS_MAX, MEDIA_MAX


class MessageSend(Body):
    """A message. It needs a text or a media."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"body": "Just for you", "price_minor": 500, "currency": "USD"}]
        }
    )

    body: Annotated[PlainText, StringConstraints(max_length=BODY_CHARS_MAX)] = ""
    media_ids: list[UuidText] = Field(
        default_factory=list,
        max_length=MEDIA_MAX,
        description="The sender's own media of purpose `message` or `post`, which are ready.",
    )
    price_minor: int | None = Field(
        default=None,
        ge=1,
        le=10**9,
        description="What its receiver pays, in minor units of `currency`; of a creator's only.",
    )
    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")] | None = Field(
        default=None, description="ISO 4217.", examples=["USD"]
    )


class MessageBody(BaseModel):
    """A message as this viewer may see it.

    Locked (`access.allowed` false): `body` is null and `media` empty; `access.offers` says what
    it costs.
    """

    id: str = Field(examples=[EXAMPLE_ID])
    conversation_id: str
    seq: int = Field(description="From 1 in each conversation; deleted ones leave gaps.")
    sender_id: str
    price_minor: int | None
    currency: str | None
    access: AccessBody
    body: str | None
    media: list[PostMediaBody]
    media_count: int
    urls_expire_at: AwareDatetime | None = Field(
        description="Until when the signed addresses in `media` hold."
    )
    created_at: AwareDatetime


class MessagePage(Page):
    data: list[MessageBody]


class ConversationBody(BaseModel):
    """A conversation of the caller's."""

    id: str = Field(examples=[EXAMPLE_ID])
    with_person: PersonBody
    role: Literal["creator", "fan"] = Field(description="The caller's, in this conversation.")
    last_seq: int = Field(description="Of the newest message.")
    last_message_at: AwareDatetime
    created_at: AwareDatetime


class ConversationPage(Page):
    data: list[ConversationBody]
