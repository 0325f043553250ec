"""A creator's monthly statement as PDF."""

from __future__ import annotations

from datetime import datetime

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from domain.earnings.statements import WORDS, Line, Section, Statement, decimal
from domain.money import Money

_WIDTHS = (30, 62, 24, 24, 24, 26)
_HEADS = ("Time (UTC)", "Event", "Paid by fan", "Tax + fee", "Yours", "Balance")


def statement_pdf(statement: Statement, *, created_at: datetime) -> bytes:
    """A4, with a table for each currency. The same statement and time give the same bytes."""
    pdf = FPDF()
    pdf.set_creation_date(created_at)
    pdf.set_title(f"Statement {statement.month} of {statement.handle}")
    pdf.set_auto_page_break(auto=True, margin=15)
    pdf.add_page()
    pdf.set_font("Helvetica", "B", 16)
    _line(pdf, f"Statement {statement.month}", height=10)
    pdf.set_font("Helvetica", size=10)
    _line(pdf, f"Creator: {statement.handle}. All times are in UTC.")
    if not statement.sections:
        _line(pdf, "Nothing happened in this month.")
    for section in statement.sections:
        _write_section(pdf, section)
    return bytes(pdf.output())


def _write_section(pdf: FPDF, section: Section) -> None:
    currency = section.currency
    pdf.ln(4)
    pdf.set_font("Helvetica", "B", 12)
    _line(pdf, currency, height=8)
    pdf.set_font("Helvetica", size=10)
    sales = section.sum_of("sale")
    back = section.sum_of("refund", "refund_failed", "dispute_lost")
    paid = section.sum_of("payout_settled")
    for words, amount in (
        ("At the beginning", section.opening_minor),
        ("Your share of sales", sales),
        ("Your share of refunds and lost disputes", back),
        ("Paid out", paid),
        ("At the end", section.closing_minor),
    ):
        _line(pdf, f"{words}: {Money(amount, currency).formatted}")
    pdf.ln(2)
    pdf.set_font("Helvetica", "B", 8)
    _row(pdf, _HEADS)
    pdf.set_font("Helvetica", size=8)
    for line in section.lines:
        _row(pdf, _cells(line, currency))


def _cells(line: Line, currency: str) -> tuple[str, ...]:
    what = WORDS.get(line.kind, line.kind)
    taken = line.tax_minor + line.commission_minor
    return (
        f"{line.at:%Y-%m-%d %H:%M}",
        f"{what} ({line.source})" if line.source and line.kind == "sale" else what,
        decimal(line.gross_minor, currency) if line.gross_minor else "",
        decimal(taken, currency) if taken else "",
        decimal(line.change_minor, currency),
        decimal(line.balance_minor, currency),
    )


def _row(pdf: FPDF, cells: tuple[str, ...]) -> None:
    for place, (width, cell) in enumerate(zip(_WIDTHS, cells, strict=True)):
        pdf.cell(width, 5, cell, border="B", align="L" if place < 2 else "R")
    pdf.ln(5)


def _line(pdf: FPDF, words: str, *, height: float = 5.5) -> None:
    pdf.cell(0, height, words, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
