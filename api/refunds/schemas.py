"""Bodies of requests and answers about refunds and disputes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from api.schemas import EXAMPLE_ID, Body, Page, PageQuery, PlainText
from domain.charges.states import ChargeKind
from domain.disputes import Answer, DisputeState
from domain.refunds import NOTE_CHARS_MAX, RefundReason, RefundState, Requester

Note = Annotated[PlainText, StringConstraints(max_length=NOTE_CHARS_MAX)]
AMOUNT_MAX = 2**53 - 1
"""What every client counts exactly."""


class SaleRefund(Body):
    """What a creator gives back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount_minor": 500}]})

    amount_minor: int | None = Field(
        default=None, gt=0, le=AMOUNT_MAX, description="Without it: all that is left."
    )
    note: Note = Field(default="", description="For staff; the fan does not see it.")


class StaffRefund(SaleRefund):
    """What staff give back, and why."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "goodwill", "note": "Case 1042"}]}
    )

    reason: Literal[
        RefundReason.REQUESTED_BY_CUSTOMER,
        RefundReason.DUPLICATE,
        RefundReason.FRAUDULENT,
        RefundReason.NOT_DELIVERED,
        RefundReason.GOODWILL,
    ] = Field(description="`fraudulent` also puts the card on the processor's block list.")


class RefundBody(BaseModel):
    """A refund, as who paid and who was paid see it."""

    id: str = Field(examples=[EXAMPLE_ID])
    charge_id: str = Field(examples=[EXAMPLE_ID])
    amount_minor: int
    currency: str = Field(examples=["USD"])
    state: RefundState
    requested_as: Requester
    created_at: AwareDatetime
    closed_at: AwareDatetime | None = Field(description="When it failed or was refused.")


class RefundList(BaseModel):
    data: list[RefundBody]


class StaffRefundBody(RefundBody):
    reason: RefundReason
    note: str
    requested_by: str | None = Field(description="A handle.")
    stripe_refund_id: str | None
    refused_code: str | None = Field(description="Why it was never begun.")
    failure_reason: str | None = Field(description="Why the bank sent it back.")
    posted_at: AwareDatetime | None


class StaffRefundList(BaseModel):
    data: list[StaffRefundBody]


class StaffRefundPage(Page):
    data: list[StaffRefundBody]


class RefundQuery(PageQuery):
    state: RefundState | None = None


class DisputeQuery(PageQuery):
    only_open: bool = Field(default=True, description="False: decided ones as well.")


class DisputeDecision(Body):
    note: Note = Field(default="", description="For the audit log.", examples=["Case 1042"])


class DisputeBody(BaseModel):
    """A dispute as staff see it."""

    id: str = Field(examples=[EXAMPLE_ID])
    stripe_dispute_id: str = Field(examples=["dp_1MtJUT2eZvKYlo2CNaw2HvEv"])
    charge_id: str = Field(examples=[EXAMPLE_ID])
    charge_kind: ChargeKind
    fan_id: str = Field(examples=[EXAMPLE_ID])
    creator_id: str = Field(examples=[EXAMPLE_ID])
    amount_minor: int
    currency: str = Field(examples=["USD"])
    fee_minor: int = Field(description="What the processor keeps for it.")
    state: DisputeState
    is_inquiry: bool = Field(description="The bank asks; no money was taken.")
    reason: str = Field(examples=["product_not_received"])
    opened_at: AwareDatetime
    evidence_due_by: AwareDatetime | None
    evidence_submitted_at: AwareDatetime | None
    answer: Answer | None
    answered_by: str | None = Field(description="A handle; null: by the setting, or nobody yet.")
    answered_at: AwareDatetime | None
    closed_at: AwareDatetime | None


class DisputePage(Page):
    data: list[DisputeBody]


class DisputeDetailBody(DisputeBody):
    evidence: dict[str, str] | None = Field(
        description="As it is, or was, submitted; fields as the processor names them."
    )
