"""Bodies of requests and answers about what creators sell."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from api.schemas import EXAMPLE_ID, Body, Page, PageQuery, PlainText, UuidText
from domain.subscriptions.promos import (
    CODE_PATTERN,
    DURATION_MONTHS_MAX,
    PER_FAN_MAX,
    REDEMPTIONS_MAX,
    PromoAudience,
    PromoDuration,
    PromoKind,
)
from domain.tiers import (
    BENEFIT_CHARS_MAX,
    BENEFITS_MAX,
    BUNDLE_BPS_BOUNDS,
    DESCRIPTION_CHARS_MAX,
    NAME_CHARS_MAX,
    SUBSCRIBER_CAP_MAX,
    TIERS_MAX,
    TRIAL_DAYS_MAX,
)

Name = Annotated[PlainText, StringConstraints(min_length=1, max_length=NAME_CHARS_MAX)]
Description = Annotated[PlainText, StringConstraints(max_length=DESCRIPTION_CHARS_MAX)]
Benefit = Annotated[PlainText, StringConstraints(min_length=1, max_length=BENEFIT_CHARS_MAX)]
Benefits = Annotated[list[Benefit], Field(max_length=BENEFITS_MAX)]
PriceMinor = Annotated[
    int,
    Field(
        ge=0,
        le=10**9,
        description="A month, with tax, in minor units of the creator's currency; 0 is free.",
    ),
]
TrialDays = Annotated[
    int, Field(ge=0, le=TRIAL_DAYS_MAX, description="For who never subscribed to the creator.")
]
SubscriberCap = Annotated[
    Annotated[int, Field(ge=1, le=SUBSCRIBER_CAP_MAX)] | None,
    Field(description="How many may be subscribed at a time; null: any number."),
]
IsVisible = Annotated[
    bool,
    Field(description="In the public list. Who has its id may subscribe to a hidden one as well."),
]
MaxRedemptions = Annotated[
    Annotated[int, Field(ge=1, le=REDEMPTIONS_MAX)] | None,
    Field(description="By all fans together; null: any number."),
]
PerFanMax = Annotated[int, Field(ge=1, le=PER_FAN_MAX)]

# --- tiers -----------------------------------------------------------------------------------


class OwnListQuery(PageQuery):
    archived: bool = False


class TierCreate(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Gold",
                    "description": "Everything, and a postcard a month.",
                    "benefits": ["All posts", "A postcard"],
                    "price_minor": 1500,
                    "trial_days": 7,
                }
            ]
        }
    )

    name: Name
    description: Description = ""
    benefits: Benefits = Field(default_factory=list)
    price_minor: PriceMinor
    trial_days: TrialDays = 0
    is_visible: IsVisible = True
    subscriber_cap: SubscriberCap = None


class TierPatch(Body):
    """Only what is given is changed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"price_minor": 1900}]})

    name: Name = ""
    description: Description = ""
    benefits: Benefits = Field(default_factory=list)
    price_minor: PriceMinor = 0
    trial_days: TrialDays = 0
    is_visible: IsVisible = True
    subscriber_cap: SubscriberCap = None


class TierOrder(Body):
    tier_ids: Annotated[list[UuidText], Field(max_length=TIERS_MAX)] = Field(
        description="Each tier that is not archived, the lowest first."
    )


class BundlePut(Body):
    discount_bps: int = Field(
        ge=BUNDLE_BPS_BOUNDS[0],
        le=BUNDLE_BPS_BOUNDS[1],
        description="Off every such period, in basis points.",
        examples=[1500],
    )


class BundleBody(BaseModel):
    """Several months at once."""

    months: int = Field(examples=[3])
    discount_bps: int
    total_minor: int = Field(description="Of all its months together, without a code.")


class OfferedTierBody(BaseModel):
    """A tier that is for sale. A higher `rank` opens what each lower one does."""

    id: str = Field(examples=[EXAMPLE_ID])
    name: str
    description: str
    benefits: list[str]
    rank: int
    price_minor: int
    currency: str = Field(examples=["USD"])
    trial_days: int
    bundles: list[BundleBody]
    is_full: bool = Field(description="No place is free.")


class OfferedTiersBody(BaseModel):
    data: list[OfferedTierBody]


class TierBody(BaseModel):
    """A tier of one's own."""

    id: str = Field(examples=[EXAMPLE_ID])
    name: str
    description: str
    benefits: list[str]
    rank: int
    price_minor: int
    currency: str = Field(examples=["USD"])
    price_effective_at: datetime = Field(
        description="From when on this price counts at renewals; for a rise some time after it "
        "was set, so that subscribers can be told."
    )
    trial_days: int
    bundles: list[BundleBody]
    is_visible: bool
    subscriber_cap: int | None
    subscriber_count: int
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


class TierPage(Page):
    data: list[TierBody]


# --- promo codes -----------------------------------------------------------------------------


class PromoCreate(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "SPRING-27",
                    "kind": "percent",
                    "value": 2500,
                    "duration": "months",
                    "months": 3,
                    "max_redemptions": 100,
                }
            ]
        }
    )

    code: Annotated[str, StringConstraints(pattern=f"^{CODE_PATTERN}$")] = Field(
        description="Case does not matter."
    )
    kind: PromoKind
    value: int = Field(
        ge=1,
        le=1_000_000,
        description="`percent`: basis points; `amount`: minor units off each charge; `trial`: "
        "days.",
    )
    duration: PromoDuration = PromoDuration.ONCE
    months: Annotated[int, Field(ge=1, le=DURATION_MONTHS_MAX)] | None = Field(
        default=None, description="With the duration `months`."
    )
    tier_id: UuidText | None = Field(default=None, description="Null: for every tier.")
    audience: PromoAudience = PromoAudience.EVERYONE
    max_redemptions: MaxRedemptions = None
    per_fan_max: PerFanMax = 1
    starts_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None


class PromoPatch(Body):
    """Only what is given is changed. What a code takes off stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"max_redemptions": 200}]})

    audience: PromoAudience = PromoAudience.EVERYONE
    max_redemptions: MaxRedemptions = None
    per_fan_max: PerFanMax = 1
    starts_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None


class PromoBody(BaseModel):
    """A promo code of one's own."""

    id: str = Field(examples=[EXAMPLE_ID])
    code: str
    kind: PromoKind
    value: int
    duration: PromoDuration
    months: int | None
    tier_id: str | None
    audience: PromoAudience
    max_redemptions: int | None
    per_fan_max: int
    starts_at: datetime | None
    expires_at: datetime | None
    redeemed_count: int = Field(description="With those whose first payment is on its way.")
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


class PromoPage(Page):
    data: list[PromoBody]


# --- quotes ----------------------------------------------------------------------------------


class QuoteRequest(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"tier_id": EXAMPLE_ID, "months": 3, "code": "SPRING-27"}]}
    )

    tier_id: UuidText
    months: Literal[1, 3, 6, 12] = Field(
        default=1, description="Above 1: of one of the tier's bundles."
    )
    code: Annotated[PlainText, StringConstraints(max_length=64)] | None = None


class PeriodPriceBody(BaseModel):
    """`list_minor` − `bundle_discount_minor` − `promo_discount_minor` = `total_minor`."""

    list_minor: int
    bundle_discount_minor: int
    promo_discount_minor: int
    total_minor: int = Field(description="With tax. 0: nothing is charged.")
    tax_minor: int | None = Field(description="Of the total; null until it is charged.")


class QuotePromoBody(BaseModel):
    code: str
    kind: PromoKind
    value: int
    duration: PromoDuration
    months: int | None
    counts_until: datetime | None = Field(description="Null: forever, or it is a trial.")


class QuoteBody(BaseModel):
    """What a subscription that began now would cost, if nothing changes."""

    tier_id: str
    currency: str = Field(examples=["USD"])
    months: int = Field(description="Of each period.")
    trial_days: int
    first: PeriodPriceBody = Field(description="Of the first period; after the trial.")
    renewal: PeriodPriceBody = Field(description="Of the second period.")
    regular: PeriodPriceBody = Field(description="Once no code counts any more.")
    due_now_minor: int
    first_charge_at: datetime | None = Field(description="Null: nothing is ever charged.")
    promo: QuotePromoBody | None
