"""Routes of what creators earned: by day, and as monthly statements."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api import API_PREFIX
from api.auth.callers import SignedIn, SignedInCaller
from api.earnings import schemas
from api.parts import ApiParts, Parts
from api.problems import PROBLEMS
from domain.earnings.periods import days_between, month_bounds
from domain.earnings.statements import Statement, statement_csv
from infra.db import async_transaction
from infra.queries.callers import load_caller
from infra.queries.earnings import dashboard
from infra.queries.earnings.statements import statement_of
from infra.statement_pdf import statement_pdf

TOP_POSTS = 10
CSV_TYPE, PDF_TYPE = "text/csv", "application/pdf"
Month = Annotated[str, Path(max_length=7, description="In UTC.", examples=["2026-03"])]

router = APIRouter(prefix=f"{API_PREFIX}/me", tags=["earnings"], responses=PROBLEMS)


def file_of(media_type: str, *, binary: bool = False) -> dict[int | str, dict[str, object]]:
    """What the contract says of an answer that is a file."""
    schema = {"type": "string"} | ({"format": "binary"} if binary else {})
    return {200: {"content": {media_type: {"schema": schema}}}}


def file_answer(content: str | bytes, media_type: str, name: str) -> Response:
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "private, no-store",
    }
    return Response(content, media_type=media_type, headers=headers)


@router.get("/earnings", operation_id="getMyEarnings")
async def get_earnings(
    query: Annotated[schemas.EarningsQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> schemas.EarningsBody:
    """What the caller earned: by day, source and currency, which posts brought most, and how many
    subscribe.

    Days are in UTC; the last 30 of them unless asked otherwise, 366 at most. The sums are the
    ledger's own.
    """
    first, last = query.days(parts.now().date())
    start, end = days_between(first, last)
    days = await dashboard.own_days(parts.reads, caller.caller, start=start, end=end)
    audience = await dashboard.own_audience(parts.reads, caller.caller, start=start, end=end)
    posts = await dashboard.own_top_posts(
        parts.reads, caller.caller, start=start, end=end, limit=TOP_POSTS
    )
    return schemas.EarningsBody(
        first_day=first,
        last_day=last,
        totals=_totals(days),
        days=[schemas.DayBody.model_validate(asdict(each)) for each in days],
        subscribers=schemas.SubscribersBody(**asdict(audience), churn_bps=audience.churn_bps),
        top_posts=[schemas.TopPostBody.model_validate(asdict(each)) for each in posts],
    )


@router.get(
    "/statements/{month}.csv",
    operation_id="getMyStatementCsv",
    response_class=Response,
    responses=file_of(CSV_TYPE),
)
async def get_csv(month: Month, caller: SignedInCaller, parts: ApiParts) -> Response:
    """What happened to the caller's money in a month, as a table (RFC 4180).

    One line an event, from the opening to the closing balance of each currency; amounts are
    decimals. A month that is not over is shown as far as it has come.
    """
    statement = await _statement(parts, caller, month)
    return file_answer(statement_csv(statement), CSV_TYPE, f"statement-{month}.csv")


@router.get(
    "/statements/{month}.pdf",
    operation_id="getMyStatementPdf",
    response_class=Response,
    responses=file_of(PDF_TYPE, binary=True),
)
async def get_pdf(month: Month, caller: SignedInCaller, parts: ApiParts) -> Response:
    """The same statement to print or to file."""
    statement = await _statement(parts, caller, month)
    written = await asyncio.to_thread(statement_pdf, statement, created_at=parts.now())
    return file_answer(written, PDF_TYPE, f"statement-{month}.pdf")


async def _statement(parts: Parts, caller: SignedIn, month: str) -> Statement:
    start, end = month_bounds(month, now=parts.now())
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
        return await session.run_sync(
            lambda sync: statement_of(
                sync, user.id, handle=user.handle, month=month, start=start, end=end
            )
        )


def _totals(days: list[dashboard.Day]) -> list[schemas.TotalBody]:
    names = ("sales", "gross", "given_back", "tax", "commission", "net")
    fields = [name if name == "sales" else f"{name}_minor" for name in names]
    totals: dict[str, dict[str, int]] = {}
    for day in days:
        sums = totals.setdefault(day.currency, dict.fromkeys(fields, 0))
        for field in fields:
            sums[field] += getattr(day, field)
    return [schemas.TotalBody(currency=code, **sums) for code, sums in sorted(totals.items())]
