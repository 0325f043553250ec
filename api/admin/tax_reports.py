"""What is told to tax offices, for admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api import API_PREFIX
from api.admin.desk import AuditorDesk
from api.earnings.items import CSV_TYPE, file_answer, file_of
from api.problems import PROBLEMS
from domain.earnings.tax_reports import tax_report_csv
from infra.db import async_transaction
from infra.queries.earnings.statements import year_of_creators

router = APIRouter(prefix=f"{API_PREFIX}/admin/tax-reports", tags=["admin"], responses=PROBLEMS)


@router.get(
    "/{year}",
    operation_id="getTaxReport",
    response_class=Response,
    responses=file_of(CSV_TYPE),
)
async def get(year: Annotated[int, Path(ge=2020, le=2100)], desk: AuditorDesk) -> Response:
    """For admins: what each creator sold in a year (UTC), by quarter, and under which rules a tax
    office is told of it, as a table (RFC 4180). Audited as `tax_report.read`.
    """
    async with async_transaction(desk.parts.engine) as session:
        totals = await session.run_sync(year_of_creators, year)
    await desk.note_look("tax_report.read", subject_type="tax_report", subject_id=str(year))
    return file_answer(tax_report_csv(totals, year), CSV_TYPE, f"tax-report-{year}.csv")
