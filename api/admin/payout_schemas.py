"""Bodies of the routes by which staff look after payouts."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from api.admin.schemas import Reason
from api.payouts.schemas import PayoutBody
from api.schemas import EXAMPLE_ID, Body, Page, PageQuery, PlainText
from domain.payouts.review import ReviewReason
from domain.payouts.states import PayoutState


class PayoutQuery(PageQuery):
    state: PayoutState = Field(default=PayoutState.REVIEW)


class StaffPayoutBody(PayoutBody):
    """A payout as staff see it."""

    creator_id: str = Field(examples=[EXAMPLE_ID])
    review_reasons: list[ReviewReason]
    decided_by: str | None = Field(description="A handle, or an operator's name.")
    decided_at: AwareDatetime | None
    decision_note: str | None
    attention_step: str | None = Field(description="A step that waits for an operator.")
    attention_reason: str | None = Field(description="As the runbook names it.")


class StaffPayoutPage(Page):
    data: list[StaffPayoutBody]


class PayoutApproval(Body):
    note: Annotated[PlainText, StringConstraints(max_length=500)] = Field(
        default="", description="For the audit log.", examples=["Passport and name match."]
    )


class PayoutRejection(Body):
    note: Annotated[PlainText, StringConstraints(min_length=1, max_length=500)] = Field(
        description="Why; for the audit log. Its creator is not told this.",
        examples=["Case 1042: the account is in another name."],
    )


class MoneyTerms(Body):
    """All of what is to hold from now on; null: what holds for everybody."""

    fee_bps: int | None = Field(
        ge=0, le=10_000, description="The platform's share, in basis points.", examples=[1500]
    )
    hold_days: int | None = Field(
        ge=0, le=365, description="How long earnings wait.", examples=[14]
    )
    post_price_minor_max: int | None = Field(
        default=None,
        ge=100,
        le=1_000_000,
        description="What a post of theirs may cost at most, in minor units of any currency.",
        examples=[100_000],
    )
    payouts_blocked_reason: (
        Annotated[PlainText, StringConstraints(min_length=1, max_length=500)] | None
    ) = Field(description="Null: payouts are not blocked.", examples=["Case 1042: fraud?"])
    reason: Reason


class MoneyTermsBody(BaseModel):
    creator_id: str = Field(examples=[EXAMPLE_ID])
    fee_bps: int | None
    hold_days: int | None
    post_price_minor_max: int | None
    payouts_blocked_reason: str | None
