"""Bodies of requests and answers about creators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from api.portraits import PersonBody, PictureBody
from api.schemas import EXAMPLE_ID, Body, Page, PageQuery, PlainText
from domain.accounts import ApplicationState
from domain.applications import (
    REASON_CHARACTERS_MAX,
    STATEMENT_CHARACTERS_MAX,
    STATEMENT_CHARACTERS_MIN,
)
from domain.countries import COUNTRIES
from domain.searching import QUERY_CHARACTERS_MAX, QUERY_CHARACTERS_MIN
from domain.tiers import SUBSCRIBER_DISCOUNT_BPS_MAX


def _country(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError("is no country of ISO 3166-1 by two capital letters")
    return code


Country = Annotated[str, StringConstraints(max_length=2), AfterValidator(_country)]

# --- profiles --------------------------------------------------------------------------------


class ViewerBody(BaseModel):
    """How the caller stands to the creator; nobody signed in neither follows nor subscribes."""

    follows: bool
    subscribed: bool
    subscribed_until: datetime | None = Field(
        description="Null where not subscribed, or without end."
    )


class CreatorBody(PersonBody):
    """A creator's public profile."""

    bio: str
    cover: PictureBody | None
    follower_count: int | None = Field(description="Null where the creator does not show it.")
    post_count: int | None = Field(description="Null where the creator does not show it.")
    creator_since: datetime
    viewer: ViewerBody


class SearchQuery(PageQuery):
    q: Annotated[
        PlainText,
        StringConstraints(min_length=QUERY_CHARACTERS_MIN, max_length=QUERY_CHARACTERS_MAX),
    ] = Field(
        description="Part of a handle or name: its beginning, that of one of its words, or "
        "something close to it. At least two letters or digits."
    )


class FoundCreatorBody(PersonBody):
    follower_count: int | None = Field(description="Null where the creator does not show it.")


class FoundCreatorPage(Page):
    data: list[FoundCreatorBody]


# --- follows ---------------------------------------------------------------------------------


class FollowBody(BaseModel):
    user: PersonBody
    followed_at: datetime


class FollowPage(Page):
    data: list[FollowBody]


# --- applications ----------------------------------------------------------------------------


class ApplicationCreate(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"statement": "I photograph harbours at dawn and teach how to print."}]
        }
    )

    statement: Annotated[
        PlainText,
        StringConstraints(min_length=STATEMENT_CHARACTERS_MIN, max_length=STATEMENT_CHARACTERS_MAX),
    ] = Field(description="What you want to publish, in your own words.")


class ApplicationBody(BaseModel):
    """One's own application to be a creator."""

    id: str = Field(examples=[EXAMPLE_ID])
    state: ApplicationState
    statement: str
    reason: str | None = Field(description="Always there with a rejection.")
    created_at: datetime
    decided_at: datetime | None
    may_apply_again_at: datetime | None = Field(description="After a rejection.")


class RejectionCreate(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "Tell us more about what you will show."}]}
    )

    reason: Annotated[PlainText, StringConstraints(min_length=1, max_length=REASON_CHARACTERS_MAX)]
    """For the applicant to read."""


class ApplicationQuery(PageQuery):
    state: ApplicationState = ApplicationState.SUBMITTED


class QueuedApplicationBody(BaseModel):
    """An application as staff see it."""

    id: str
    state: ApplicationState
    statement: str
    reason: str | None
    applicant: PersonBody
    applicant_since: datetime = Field(description="When the account was made.")
    decided_by: str | None = Field(description="A handle.")
    created_at: datetime
    decided_at: datetime | None


class QueuedApplicationPage(Page):
    data: list[QueuedApplicationBody]


# --- settings --------------------------------------------------------------------------------


class CreatorSettings(BaseModel):
    watermark_enabled: bool = Field(
        description="Whether new renditions carry the handle, where an upload says nothing else."
    )
    blocked_countries: list[str] = Field(
        description="ISO 3166-1 alpha-2; nothing of the creator is seen there.", examples=[["US"]]
    )
    currency: str = Field(description="Of all tiers and codes.", examples=["USD"])
    subscriber_discount_bps: int = Field(
        description="What subscribers pay less when they unlock something, in basis points."
    )
    tip_minimum_minor: int | None = Field(
        description="Least tip, in minor units of `currency`; null: the platform's."
    )


class CreatorSettingsPatch(Body):
    """Only what is given is changed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"blocked_countries": ["DE", "US"]}]})

    watermark_enabled: bool = True
    blocked_countries: Annotated[list[Country], Field(max_length=len(COUNTRIES))] = Field(
        default_factory=list, description="The whole list; order and repeats don't matter."
    )
    currency: Literal["EUR", "GBP", "USD"] = Field(
        default="USD", description="Until there is a tier or a code. A new one drops the least tip."
    )
    subscriber_discount_bps: int = Field(default=0, ge=0, le=SUBSCRIBER_DISCOUNT_BPS_MAX)
    tip_minimum_minor: Annotated[int, Field(ge=1, le=10**9)] | None = None
