"""Bodies of unlocks."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from api.charges.schemas import AmountMinor, CurrencyCode, Paying, PaymentBody
from api.schemas import EXAMPLE_ID
from domain.unlocks.states import EndReason, UnlockState


class UnlockRequest(Paying):
    """What the caller was told it costs. For another price nothing is taken."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"price_minor": 999, "currency": "USD"}]}
    )

    price_minor: AmountMinor
    currency: CurrencyCode


class UnlockBody(BaseModel):
    """A purchase of one post or one message."""

    id: str = Field(examples=[EXAMPLE_ID])
    post_id: str | None = Field(description="Null where a message was bought.")
    message_id: str | None = Field(description="Null where a post was bought.")
    creator_id: str
    state: UnlockState = Field(
        description="`unlocked`: it is open. `requires_action`: confirm with the bank. "
        "`declined`, `canceled`: nothing was taken, try again. `charging`, `processing`: ask "
        "again; it goes on by itself. `refunding`: it was gone, the money goes back. `ended`: "
        "the money went back."
    )
    list_minor: int = Field(description="Its price, before the discount.")
    discount_minor: int
    payment: PaymentBody
    created_at: datetime
    unlocked_at: datetime | None
    ended_at: datetime | None
    ended_reason: EndReason | None

    @property
    def item_id(self) -> str:
        item_id = self.post_id or self.message_id
        assert item_id is not None, "it is of one of both"
        return item_id
