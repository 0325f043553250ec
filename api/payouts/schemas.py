"""Bodies of requests and answers about payouts."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from api.schemas import EXAMPLE_ID, Body, Page
from domain.payouts.states import PayoutKind, PayoutState

Currency = Annotated[
    str,
    StringConstraints(pattern="^[A-Z]{3}$"),
    Field(description="ISO 4217.", examples=["USD"]),
]
Country = Annotated[
    str,
    StringConstraints(pattern="^[A-Z]{2}$"),
    Field(description="Where the creator is taxed: ISO 3166-1 alpha-2.", examples=["DE"]),
]


class AccountCreate(Body):
    """Where the account is to be. It can't be changed later, and counts for the first time only."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"country": "DE"}]})

    country: Country


class AccountBody(BaseModel):
    """An account at the payment processor, as it was read last."""

    country: str | None = Field(examples=["DE"])
    currency: str | None = Field(description="In which it pays out.", examples=["EUR"])
    details_submitted: bool = Field(description="Its owner has said who they are.")
    payouts_enabled: bool = Field(description="It can be paid out to.")
    requirements_due: list[str] = Field(
        description="What the payment processor asks for, by its own names.",
        examples=[["individual.verification.document"]],
    )
    disabled_reason: str | None
    updated_at: AwareDatetime


class OnboardingBody(AccountBody):
    """The account, and the page on which its owner says who they are."""

    onboarding_url: str = Field(description="Opens once; ask again for another one.")
    onboarding_expires_at: AwareDatetime


class ReleaseBody(BaseModel):
    at: AwareDatetime
    amount_minor: int


class BalanceBody(BaseModel):
    """What a creator has in one currency, in its minor units."""

    currency: str = Field(examples=["USD"])
    pending_minor: int = Field(description="Earned; its wait is not over.")
    available_minor: int = Field(description="Goes with the next payout.")
    reserve_minor: int = Field(description="Kept back for what may be disputed.")
    held_minor: int = Field(description="Disputed now.")
    in_flight_minor: int = Field(description="Set aside for payouts that are not settled.")
    debt_minor: int = Field(description="Owed; future earnings pay it first.")
    minimum_minor: int | None = Field(
        description="The least payout; null where nothing is paid out in this currency."
    )
    releases: list[ReleaseBody] = Field(
        description="When what is pending becomes available, the next first."
    )


class BalancesBody(BaseModel):
    data: list[BalanceBody]


class PayoutCreate(Body):
    """A payout of all that is available."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"currency": "USD"}]})

    currency: Currency | None = Field(
        default=None, description="Left out: the one that the payout account takes."
    )


class PayoutBody(BaseModel):
    """A payout.

    `paid` is what the payment processor says. For seven days a bank may still send it back; then
    it is `settled`.
    """

    id: str = Field(examples=[EXAMPLE_ID])
    kind: PayoutKind
    state: PayoutState
    currency: str = Field(examples=["USD"])
    amount_minor: int | None = Field(description="Null until it is set aside.")
    reason: str | None = Field(
        description="Why it was released or returned: a code.", examples=["below_payout_minimum"]
    )
    arrives_at: AwareDatetime | None = Field(description="When it is expected at the bank.")
    created_at: AwareDatetime
    sent_at: AwareDatetime | None
    paid_at: AwareDatetime | None
    closed_at: AwareDatetime | None


class PayoutPage(Page):
    data: list[PayoutBody]
