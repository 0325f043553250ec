"""Bodies of tips."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.charges.schemas import AmountMinor, CurrencyCode, Paying, PaymentBody
from api.portraits import PersonBody
from api.schemas import EXAMPLE_ID, Page, PlainText, UuidText
from domain.tips import NOTE_CHARS_MAX, TipState


class TipRequest(Paying):
    """Money for a creator, and a word with it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"amount_minor": 500, "currency": "USD", "note": "Lovely, thank you!"}]
        }
    )

    amount_minor: AmountMinor
    currency: CurrencyCode
    note: Annotated[PlainText, StringConstraints(max_length=NOTE_CHARS_MAX)] = ""
    post_id: UuidText | None = Field(
        default=None, description="Of the creator's: the post that it is for."
    )


class TipBody(BaseModel):
    """A tip that the caller gave."""

    id: str = Field(examples=[EXAMPLE_ID])
    creator_id: str
    post_id: str | None
    note: str
    state: TipState = Field(
        description="`sent`: it is the creator's. `requires_action`: confirm with the bank. "
        "`declined`, `canceled`: nothing was taken. `charging`, `processing`: ask again; it goes "
        "on by itself. `taken_back`: the money went back."
    )
    payment: PaymentBody
    created_at: datetime
    sent_at: datetime | None


class ReceivedTipBody(BaseModel):
    """A tip that the caller was given."""

    id: str
    fan: PersonBody
    post_id: str | None
    amount_minor: int
    currency: CurrencyCode
    note: str
    state: TipState
    sent_at: datetime


class ReceivedTipPage(Page):
    data: list[ReceivedTipBody]
