"""Bodies of cards and of their setup."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from api.charges.schemas import DeclineBody
from api.schemas import EXAMPLE_ID
from domain.payment_methods import SetupState


class CardSetupBody(BaseModel):
    """A card that is being added."""

    id: str = Field(examples=[EXAMPLE_ID])
    state: SetupState
    client_secret: str | None = Field(
        description="For Stripe's script in the browser, which takes the card's number; the "
        "platform never sees it. Null for a moment before Stripe has given it: ask again."
    )
    publishable_key: str = Field(description="With which that script is started.")
    decline: DeclineBody | None = Field(
        description="Of the last card that was refused; another may follow in the same setup."
    )
    payment_method_id: str | None = Field(description="With `succeeded`: the card.")
    expires_at: datetime


class CardBody(BaseModel):
    """A card that the caller pays with."""

    id: str = Field(examples=["pm_1NXWPnCo6bFb1KQto6C8OWvE"])
    brand: str = Field(examples=["visa"])
    last4: str = Field(examples=["4242"])
    exp_month: int
    exp_year: int
    is_default: bool = Field(description="What is charged unless a request names another.")
    added_at: datetime


class CardList(BaseModel):
    """All of them; there are few."""

    data: list[CardBody]
