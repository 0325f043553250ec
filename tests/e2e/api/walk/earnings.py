"""Rows of earnings: a creator's own, and what is told of all of them."""

from __future__ import annotations

from typing import Any

from tests.e2e.api.walk.payouts import SIGNED_IN
from tests.e2e.api.walk.rows import Row, each

ME = "/api/v1/me"

ROWS: list[Row[Any]] = [
    Row("getMyEarnings", lambda case: case.client.get(f"{ME}/earnings"), SIGNED_IN),
    Row(
        "getMyStatementCsv", lambda case: case.client.get(f"{ME}/statements/2026-01.csv"), SIGNED_IN
    ),
    Row(
        "getMyStatementPdf", lambda case: case.client.get(f"{ME}/statements/2026-01.pdf"), SIGNED_IN
    ),
    Row(
        "getTaxReport",
        lambda case: case.client.get("/api/v1/admin/tax-reports/2026"),
        each(403, anonymous=401, admin=200),
    ),
]
