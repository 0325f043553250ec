"""Bodies of the routes for staff."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from api.schemas import EXAMPLE_ID, Body, Page, PageQuery, PlainText
from domain.accounts import Role
from domain.posts import PostState
from infra.queries.admin.users import Standing

Reason = Annotated[
    PlainText,
    StringConstraints(min_length=1, max_length=500),
    Field(
        description="Why; kept in the audit log for ever, so name rules and cases, not people.",
        examples=["Case 1042: repeated spam after two warnings."],
    ),
]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,100}$")]


class UserQuery(PageQuery):
    """Whom staff look for; all conditions have to hold."""

    handle: Annotated[str, StringConstraints(pattern=r"^[a-z0-9._-]{1,30}$")] | None = Field(
        default=None, description="What the handle begins with.", examples=["mia"]
    )
    email: Annotated[PlainText, StringConstraints(max_length=254)] | None = Field(
        default=None, description="The whole address, in any case.", examples=["mia@example.com"]
    )
    role: Role | None = None
    standing: Standing | None = None


class UserBody(BaseModel):
    """An account as staff see it."""

    id: str = Field(examples=[EXAMPLE_ID])
    handle: str = Field(examples=["mia.rossi"])
    display_name: str = Field(examples=["Mia Rossi"])
    role: Role
    standing: Standing
    email: str | None = Field(examples=["mia@example.com"])
    email_verified_at: datetime | None
    created_at: datetime
    suspended_at: datetime | None
    deleted_at: datetime | None


class UserPage(Page):
    data: list[UserBody]


class UserDetailBody(UserBody):
    """One account, with how its owner signs in."""

    has_password: bool
    has_totp: bool = Field(description="An authenticator app is confirmed.")
    passkeys: int = Field(ge=0)
    live_sessions: int = Field(ge=0)


class RoleChange(Body):
    role: Role
    reason: Reason


class StaffAct(Body):
    reason: Reason


class PostVerdict(Body):
    reason: Annotated[
        PlainText,
        StringConstraints(min_length=1, max_length=500),
        Field(
            description="Why; its author reads it, and it is kept in the audit log for ever.",
            examples=["It shows a person who did not agree to it (rule 3)."],
        ),
    ]


class ModeratedPostBody(BaseModel):
    """A post as staff left it. Its content is at `GET /posts/{post_id}`."""

    id: str = Field(examples=[EXAMPLE_ID])
    creator_id: str = Field(examples=[EXAMPLE_ID])
    state: PostState
    taken_down_at: datetime | None
    taken_down_reason: str | None


class AuditQuery(PageQuery):
    """Which entries; all conditions have to hold."""

    actor_id: UUID | None = Field(default=None, examples=[EXAMPLE_ID])
    actor: Annotated[PlainText, StringConstraints(min_length=1, max_length=100)] | None = Field(
        default=None,
        description="A handle, an operator's name, or `system`, as it was then.",
        examples=["ada"],
    )
    action: Word | None = Field(default=None, examples=["user.suspended"])
    subject_type: Word | None = Field(default=None, examples=["user"])
    subject_id: Word | None = Field(default=None, examples=[EXAMPLE_ID])
    request_id: Word | None = Field(
        default=None, description="`X-Request-Id` of the answer that somebody got."
    )
    since: AwareDatetime | None = None
    until: AwareDatetime | None = Field(default=None, description="Itself not included.")


class AuditEntryBody(BaseModel):
    """Who did what to what."""

    id: int
    at: datetime
    actor_id: str | None = Field(description="Null for operators and for what runs by itself.")
    actor_name: str = Field(examples=["ada"])
    action: str = Field(examples=["user.suspended"])
    subject_type: str = Field(examples=["user"])
    subject_id: str = Field(examples=[EXAMPLE_ID])
    request_id: str | None
    detail: dict[str, Any]
    position: int | None = Field(description="Its place in the chain of hashes.")
    hash: str | None = Field(description="Hex; covers this entry and all before it.")


class AuditPage(Page):
    data: list[AuditEntryBody]
