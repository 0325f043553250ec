"""Bodies of payments."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from api.portraits import PersonBody
from api.schemas import Body, Page
from domain.charges.states import ChargeKind, ChargeState, DeclineKind

AmountMinor = Annotated[
    int, Field(ge=1, le=10**9, description="In minor units of `currency`.", examples=[999])
]
CurrencyCode = Annotated[
    str, StringConstraints(pattern=r"^[A-Z]{3}$"), Field(description="ISO 4217.", examples=["USD"])
]
CardId = Annotated[
    str,
    StringConstraints(pattern=r"^pm_[A-Za-z0-9_]{1,250}$"),
    Field(
        description="One of the caller's cards; without it, their default one.",
        examples=["pm_1NXWPnCo6bFb1KQto6C8OWvE"],
    ),
]


class Paying(Body):
    """With which card to pay."""

    payment_method_id: CardId | None = None


class DeclineBody(BaseModel):
    """Why the last try was declined."""

    code: str = Field(description="Of the bank or of Stripe.", examples=["insufficient_funds"])
    kind: DeclineKind = Field(
        description="`soft`: may go through later. `hard`: use another card. `needs_fan`: enter "
        "the card again, or confirm with the bank."
    )
    message: str = Field(description="To show to whoever pays.")


class PaymentBody(BaseModel):
    """How the payment stands. It always ends: nothing waits for ever."""

    amount_minor: int
    currency: CurrencyCode
    client_secret: str | None = Field(
        description="With `requires_action`: for Stripe's script in the browser, which lets its "
        "user confirm with their bank."
    )
    expires_at: datetime | None = Field(
        description="With `requires_action`: until then it can be confirmed; after that nothing "
        "is taken."
    )
    decline: DeclineBody | None = None


class ChargeBody(BaseModel):
    """A payment in a list."""

    id: str
    kind: ChargeKind
    subject_id: str = Field(description="Of the unlock, tip, gift or subscription.")
    state: ChargeState
    amount_minor: int
    tax_minor: int = Field(description="What of the amount is tax.")
    currency: CurrencyCode
    refunded_minor: int
    disputed_at: datetime | None
    decline: DeclineBody | None
    created_at: datetime
    paid_at: datetime | None


class OwnPaymentBody(ChargeBody):
    creator: PersonBody


class SaleBody(ChargeBody):
    fan: PersonBody


class PaymentPage(Page):
    data: list[OwnPaymentBody]


class SalePage(Page):
    data: list[SaleBody]
