"""Bodies of requests and answers of a person's own account."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Annotated
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from api.portraits import PersonBody, PictureBody
from api.schemas import EXAMPLE_ID, Body, DisplayName, Page, PlainText
from domain.access import GrantSource
from domain.accounts import ApplicationState, Role
from domain.profiles import BIO_CHARACTERS_MAX

Bio = Annotated[PlainText, StringConstraints(max_length=BIO_CHARACTERS_MAX)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]


@cache
def _time_zones() -> frozenset[str]:
    """Asked of the system once: the list is read from hundreds of files."""
    return frozenset(available_timezones())


def _known_time_zone(name: str) -> str:
    if name not in _time_zones():
        raise ValueError("is no time zone of the IANA database")
    return name


TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_time_zone)]


# --- settings --------------------------------------------------------------------------------


class UserSettings(BaseModel):
    """What a person chose for themselves; what they left alone has its default.

    A setting that is dropped one day is passed over where it is still stored.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    language: str = Field(default="en", description="As BCP 47 has it.", examples=["en", "pt-BR"])
    time_zone: str = Field(default="UTC", examples=["Europe/Berlin"])
    show_follows: bool = Field(
        default=True, description="Be named in the lists of followers of those one follows."
    )
    discoverable: bool = Field(default=True, description="Creators: be found by search.")
    show_follower_count: bool = Field(default=True, description="Creators: on the profile.")
    show_post_count: bool = Field(default=True, description="Creators: on the profile.")


class SettingsPatch(Body):
    """Only what is given is changed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"language": "de", "time_zone": "Europe/Berlin", "discoverable": False}]
        }
    )

    language: Language = "en"
    time_zone: TimeZone = "UTC"
    show_follows: bool = True
    discoverable: bool = True
    show_follower_count: bool = True
    show_post_count: bool = True


# --- profile ---------------------------------------------------------------------------------


class CountsBody(BaseModel):
    following: int
    blocked: int
    entitlements: int = Field(description="Rights that are live now.")


class MeBody(BaseModel):
    """The caller's own account. Nobody else sees e-mail address, settings or counts."""

    id: str = Field(examples=[EXAMPLE_ID])
    handle: str = Field(examples=["mia"])
    handle_may_change_at: datetime | None = Field(
        description="When it may be changed again; null: at any time."
    )
    display_name: str
    bio: str
    avatar: PictureBody | None
    cover: PictureBody | None
    avatar_media_id: str | None
    cover_media_id: str | None
    role: Role
    email: str | None = Field(examples=["mia@example.com"])
    email_verified: bool
    settings: UserSettings
    counts: CountsBody
    created_at: datetime
    updated_at: datetime


class ProfilePatch(Body):
    """Only what is given is changed; `null` takes a picture away."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"display_name": "Mia Tanaka", "bio": "Light, water, slow mornings."}]
        }
    )

    display_name: DisplayName = ""
    bio: Bio = ""
    avatar_media_id: UUID | None = Field(
        default=None, description="A ready, public picture of the caller's, uploaded as `avatar`."
    )
    cover_media_id: UUID | None = Field(default=None, description="Likewise, as `cover`.")


class HandleChange(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"handle": "mia.tanaka"}]})

    handle: Annotated[str, StringConstraints(max_length=64)] = Field(
        description="3 to 30 characters of a-z, 0-9, `.`, `_` and `-`; begins and ends with a "
        "letter or digit; no two signs in a row."
    )


class OwnCreatorBody(BaseModel):
    follower_count: int
    post_count: int = Field(description="Published ones.")
    watermark_enabled: bool
    blocked_countries: list[str]


class OwnApplicationBody(BaseModel):
    state: ApplicationState
    may_apply_again_at: datetime | None


class BootstrapBody(BaseModel):
    """What an app needs when it starts."""

    me: MeBody
    creator: OwnCreatorBody | None = Field(description="Null for those who don't publish.")
    application: OwnApplicationBody | None = Field(
        description="The newest application to be a creator."
    )


# --- lists -----------------------------------------------------------------------------------


class BlockedBody(BaseModel):
    user: PersonBody
    blocked_at: datetime


class BlockedPage(Page):
    data: list[BlockedBody]


class RightBody(BaseModel):
    """A right that is live now: on one media, on one post, or on what a subscription opens."""

    id: str
    source: GrantSource
    creator: PersonBody
    media_id: str | None
    post_id: str | None
    tier_id: str | None
    tier_name: str | None
    starts_at: datetime
    expires_at: datetime | None


class RightPage(Page):
    data: list[RightBody]
