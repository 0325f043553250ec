"""Bodies of requests and answers about subscriptions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.charges.schemas import CardId, CurrencyCode, PaymentBody
from api.portraits import PersonBody
from api.schemas import EXAMPLE_ID, Body, Page, UuidText
from api.tiers.schemas import QuoteRequest
from domain.subscriptions.events import EventKind
from domain.subscriptions.states import EndReason, SubscriptionState

PriceMinor = Annotated[int, Field(description="A month, before discounts, in minor units.")]


class SubscribeRequest(QuoteRequest):
    """To which tier, for how many months at a time, with which code and card."""

    payment_method_id: CardId | None = None


class CancelRequest(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"now": False}]})

    now: bool = Field(
        default=False,
        description="At once, and access with it. Otherwise with the period that is paid.",
    )


class PauseRequest(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"resume_at": "2030-05-01T12:00:00Z"}]}
    )

    resume_at: AwareDatetime = Field(
        description="From a day to a year after the period that is paid. Then it is paid again."
    )


class ChangeTierRequest(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"tier_id": EXAMPLE_ID}]})

    tier_id: UuidText = Field(
        description="A higher one counts at once, for what the rest of the period costs more; a "
        "lower one from the next period on. The one that it has takes a planned change back."
    )


class CardRequest(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"payment_method_id": "pm_1NXWPn"}]})

    payment_method_id: CardId


class ConsentRequest(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"price_minor": 1200}]})

    price_minor: Annotated[int, Field(ge=1, le=10**9)] = Field(
        description="The new price, a month, as it was read."
    )


class PromoBody(BaseModel):
    """What a code takes off, as it was redeemed."""

    kind: str
    value: int
    duration: str
    months: int | None


class EventBody(BaseModel):
    """Something that happened to the subscription."""

    kind: EventKind
    at: datetime
    facts: dict[str, Any]


class SubscriptionBody(BaseModel):
    """A subscription of the caller's."""

    id: str = Field(examples=[EXAMPLE_ID])
    creator_id: str
    creator_handle: str
    tier_id: str
    state: SubscriptionState = Field(
        description="`incomplete`: the first payment is on its way, or `payment` says how to "
        "confirm it. `past_due`: a renewal was declined; see `retry_at`. `canceling`: ends with "
        "the period. `paused`: nothing is taken or open until `resume_at`. `canceled`, "
        "`expired`: over, and `end_reason` says why."
    )
    price_minor: PriceMinor
    currency: CurrencyCode
    months: int = Field(description="Of each period.")
    promo: PromoBody | None
    is_trial: bool
    period_start: datetime | None
    period_end: datetime | None = Field(description="When it renews, pauses or ends.")
    payment_method_id: str | None
    payment: PaymentBody | None = Field(description="The last try to charge, if there was one.")
    retry_at: datetime | None = Field(description="With `past_due`: when it is tried again.")
    give_up_at: datetime | None = Field(description="With `past_due`: when it expires.")
    next_tier_id: str | None = Field(description="From the next period on.")
    resume_at: datetime | None = Field(description="Of a pause, planned or running.")
    new_price_minor: int | None = Field(
        description="A rise, a month, that is to come: agree with `POST …/consent`, or it ends."
    )
    agreed_price_minor: int | None
    end_reason: EndReason | None
    ended_at: datetime | None
    created_at: datetime
    events: list[EventBody] = Field(description="What has happened, in order.")


class ListedSubscriptionBody(BaseModel):
    """A subscription in a list."""

    id: str
    state: SubscriptionState
    tier_id: str
    price_minor: PriceMinor
    currency: CurrencyCode
    months: int
    period_end: datetime | None
    end_reason: EndReason | None
    ended_at: datetime | None
    created_at: datetime


class MySubscriptionBody(ListedSubscriptionBody):
    creator: PersonBody


class SubscriberBody(ListedSubscriptionBody):
    fan: PersonBody


class SubscriptionPage(Page):
    data: list[MySubscriptionBody]


class SubscriberPage(Page):
    data: list[SubscriberBody]
