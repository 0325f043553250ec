"""How the ledger and Stripe's books compared, for staff."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from api import API_PREFIX
from api.admin.desk import StaffDesk
from api.problems import PROBLEMS
from api.schemas import EXAMPLE_ID, Page, PageQuery
from domain.paging import Keyset, cursor_for, keyset_from
from domain.reconcile import OwnMovement
from infra.queries.reconcile import list_reconciliations, reconciliation_view

router = APIRouter(prefix=f"{API_PREFIX}/admin/reconciliations", tags=["admin"], responses=PROBLEMS)


class ReconciliationQuery(PageQuery):
    only_breaks: bool = Field(default=False, description="Only those that found something.")


class OwnMovementBody(BaseModel):
    """What moved between Stripe and the platform alone; a withdrawal is below zero."""

    kind: OwnMovement
    currency: str
    net_minor: int


class ReconciliationBody(BaseModel):
    """One comparison of the ledger with the payment processor's books."""

    id: str = Field(examples=[EXAMPLE_ID])
    window_start: AwareDatetime
    window_end: AwareDatetime
    started_at: AwareDatetime
    ended_at: AwareDatetime
    sources_checked: int = Field(description="Payments, refunds, disputes and transfers.")
    fees_recorded: int = Field(description="Fees that came late, and were posted by it.")
    breaks_found: int
    own_movements: list[OwnMovementBody]


class ReconciliationPage(Page):
    data: list[ReconciliationBody]


class BreakBody(BaseModel):
    """What differs, and of what. Amounts in minor units, where there are any."""

    rule: str = Field(examples=["amounts_differ"])
    subject: str = Field(examples=["re_1Nispe2eZvKYlo2Cd31jOCgZ"])
    detail: str
    currency: str | None
    stripe_minor: int | None
    ledger_minor: int | None


class ReconciliationDetailBody(ReconciliationBody):
    breaks: list[BreakBody]


@router.get("", operation_id="listReconciliations")
async def list_all(
    query: Annotated[ReconciliationQuery, Query()], desk: StaffDesk
) -> ReconciliationPage:
    """Comparisons of the ledger with the payment processor's books, the newest first."""
    after = keyset_from(query.cursor) if query.cursor is not None else None
    found, has_more = await list_reconciliations(
        desk.parts.reads, only_breaks=query.only_breaks, limit=query.limit, after=after
    )
    last = found[-1] if has_more else None
    return ReconciliationPage(
        data=[ReconciliationBody.model_validate(asdict(each)) for each in found],
        next_cursor=cursor_for(Keyset(last.ended_at, last.id)) if last else None,
        has_more=has_more,
    )


@router.get("/{reconciliation_id}", operation_id="getReconciliation")
async def get(reconciliation_id: UUID, desk: StaffDesk) -> ReconciliationDetailBody:
    """One comparison, with what differed."""
    found = await reconciliation_view(desk.parts.reads, str(reconciliation_id))
    return ReconciliationDetailBody.model_validate(asdict(found))
