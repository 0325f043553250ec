"""Bodies of gifts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.charges.schemas import Paying, PaymentBody
from api.portraits import PersonBody
from api.schemas import EXAMPLE_ID, Body, Page, PlainText, UuidText
from domain.subscriptions.gifts import COMPLIMENTARY_DAYS_MAX, NOTE_CHARS_MAX, GiftState

Note = Annotated[PlainText, StringConstraints(max_length=NOTE_CHARS_MAX)]
Recipient = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64, pattern="^[^\\x00]*$"),
    Field(description="Handle of whom it is for.", examples=["leo"]),
]


class GiftRequest(Paying):
    """Some months of a tier, for somebody else."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"recipient": "leo", "tier_id": EXAMPLE_ID, "note": "Happy birthday!"}]
        }
    )

    recipient: Recipient
    tier_id: UuidText
    months: Literal[1, 3, 6, 12] = Field(
        default=1, description="Above 1: of one of the tier's bundles, at its price."
    )
    note: Note = ""


class GiftBody(BaseModel):
    """A gift that the caller bought."""

    id: str = Field(examples=[EXAMPLE_ID])
    creator_id: str
    recipient_id: str
    tier_id: str
    months: int | None
    note: str
    state: GiftState = Field(
        description="`given`: it opens what its tier opens. `requires_action`: confirm with the "
        "bank. `declined`, `canceled`: nothing was taken. `charging`, `processing`: ask again; it "
        "goes on by itself. `taken_back`: the money went back."
    )
    payment: PaymentBody
    created_at: datetime
    given_at: datetime | None


class ComplimentRequest(Body):
    """Days of a tier of the caller's, for nothing."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"recipient": "leo", "tier_id": EXAMPLE_ID, "days": 30}]}
    )

    recipient: Recipient
    tier_id: UuidText
    days: Annotated[int, Field(ge=1, le=COMPLIMENTARY_DAYS_MAX)]
    note: Note = ""


class ComplimentBody(BaseModel):
    """What the caller gave for nothing."""

    id: str = Field(examples=[EXAMPLE_ID])
    recipient_id: str
    tier_id: str
    state: GiftState
    given_at: datetime | None


class ListedGiftBody(BaseModel):
    """A gift in a list."""

    id: str
    creator_id: str
    tier_id: str
    note: str
    state: GiftState
    starts_at: datetime = Field(description="Gifts of one tier follow each other.")
    expires_at: datetime
    given_at: datetime


class ReceivedGiftBody(ListedGiftBody):
    giver: PersonBody


class GivenComplimentBody(ListedGiftBody):
    recipient: PersonBody


class ReceivedGiftPage(Page):
    data: list[ReceivedGiftBody]


class ComplimentPage(Page):
    data: list[GivenComplimentBody]
