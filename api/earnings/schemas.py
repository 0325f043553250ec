"""Bodies of requests and answers about earnings."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import EXAMPLE_ID
from domain.ledger.postings import SaleSource

_Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2999, 12, 31))]


class EarningsQuery(BaseModel):
    """Days in UTC, both included."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    first_day: _Day | None = Field(
        default=None, alias="from", description="Without it: 29 days before the last."
    )
    last_day: _Day | None = Field(default=None, alias="to", description="Without it: today.")

    def days(self, today: date) -> tuple[date, date]:
        last = self.last_day or today
        return self.first_day or last - timedelta(days=29), last


class DayBody(BaseModel):
    """One day, source and currency, in minor units. `gross_minor - given_back_minor` is
    `tax_minor + commission_minor + net_minor`."""

    day: date
    source: SaleSource
    currency: str = Field(examples=["USD"])
    sales: int
    gross_minor: int = Field(description="What fans paid, tax included.")
    given_back_minor: int = Field(
        description="Refunds and lost disputes, less refunds that banks sent back."
    )
    tax_minor: int
    commission_minor: int
    net_minor: int = Field(description="The creator's own.")


class TotalBody(BaseModel):
    """All days and sources of one currency."""

    currency: str = Field(examples=["USD"])
    sales: int
    gross_minor: int
    given_back_minor: int
    tax_minor: int
    commission_minor: int
    net_minor: int


class SubscribersBody(BaseModel):
    at_start: int
    at_end: int
    joined: int
    left: int = Field(description="Of those at the start.")
    churn_bps: int | None = Field(
        description="`left` of `at_start` in basis points; null where there were none."
    )


class TopPostBody(BaseModel):
    """What was paid for a post in these days, less what went back of it, whenever it did."""

    post_id: str = Field(examples=[EXAMPLE_ID])
    currency: str = Field(examples=["USD"])
    unlocks: int
    tips: int
    gross_minor: int
    net_minor: int = Field(description="The creator's own.")


class EarningsBody(BaseModel):
    first_day: date
    last_day: date
    totals: list[TotalBody]
    days: list[DayBody]
    subscribers: SubscribersBody
    top_posts: list[TopPostBody] = Field(description="Ten at most, that which brought most first.")
