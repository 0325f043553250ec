"""Reading both sides and comparing them. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from domain.reconcile import Booked, Break, OwnSum, compare, own_movements, sums_by_source
from infra.db import transaction
from infra.models import Reconciliation
from infra.queries import ledger
from infra.stripe.gateway import StripeGateway
from infra.stripe.objects import BalanceTransaction

SETTLING = timedelta(minutes=10)
"""What is younger is left to the next time: its webhook may still be on its way."""
OVERLAP = timedelta(days=1)
FIRST_WINDOW = timedelta(days=30)
"""How far back it looks where it has never looked before."""
REREAD_MAX = 500
"""Sources that are read one by one; more differences are one difference."""

Sums = dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Window:
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Comparison:
    window: Window
    sources_checked: int
    breaks: tuple[Break, ...]
    """Those of the ledger's own rules first."""
    lines: dict[str, tuple[BalanceTransaction, ...]]
    """All that Stripe booked of each source that differs."""
    own: tuple[OwnSum, ...] = ()
    """What moved between Stripe and the platform alone; it is not in the ledger."""


def next_window(session: Session, at: datetime) -> Window:
    """From a day before the end of the last one until a few minutes ago."""
    last = session.scalar(
        select(Reconciliation.window_end).order_by(Reconciliation.window_end.desc()).limit(1)
    )
    end = at - SETTLING
    start = end - FIRST_WINDOW if last is None else last - OVERLAP
    return Window(min(start, end - OVERLAP), end)


def compare_rules(engine: Engine, window: Window) -> Comparison:
    """The ledger's own rules only, where nothing is sold and there is no Stripe to ask."""
    return Comparison(window, 0, tuple(_own_breaks(engine)), {})


def compare_books(engine: Engine, gateway: StripeGateway, window: Window) -> Comparison:
    """Every source for which either side has something in the window, and the ledger's rules.

    A source that differs there is read once more, whole: a dispute may have begun months ago,
    and what is on its way may have come. Stripe is read first, so what the ledger says is at
    least as new.
    """
    booked = _booked(gateway.balance_transactions(since=window.start, until=window.end))
    theirs = sums_by_source(booked)
    ours = _ledger_of(engine, window, [source for source, _ in theirs])
    suspects = sorted({each.subject for each in compare(theirs, ours)})
    breaks: list[Break] = []
    lines: dict[str, tuple[BalanceTransaction, ...]] = {}
    for source in suspects[:REREAD_MAX]:
        found, read = _compare_whole(engine, gateway, source, theirs)
        breaks += found
        if found:
            lines[source] = read
    if len(suspects) > REREAD_MAX:
        breaks.append(
            Break("too_many_differences", f"{len(suspects)} sources", "not all were read again")
        )
    checked = {source for source, _ in theirs.keys() | ours.keys()}
    own = tuple(own_movements(booked))
    return Comparison(window, len(checked), (*_own_breaks(engine), *breaks), lines, own)


def _own_breaks(engine: Engine) -> list[Break]:
    with transaction(engine) as session:
        return [Break(each.rule, each.subject, each.detail) for each in ledger.verify(session)]


def _compare_whole(
    engine: Engine, gateway: StripeGateway, source: str, theirs: Sums
) -> tuple[list[Break], tuple[BalanceTransaction, ...]]:
    read: tuple[BalanceTransaction, ...] = ()
    if source.startswith("txn_"):  # A line that is of nothing has no source to be read by.
        whole = {key: net for key, net in theirs.items() if key[0] == source}
    else:
        read = tuple(gateway.balance_transactions(source=source))
        whole = sums_by_source(_booked(read))
    with transaction(engine) as session:
        ours = _sums(ledger.clearing_of_refs(session, [source]))
    return compare(whole, ours), read


def _ledger_of(engine: Engine, window: Window, sources: list[str]) -> Sums:
    with transaction(engine) as session:
        between = ledger.clearing_by_stripe_ref(session, start=window.start, end=window.end)
        of_sources = ledger.clearing_of_refs(session, sources)
    return _sums([*between, *of_sources])


def _sums(cleared: Iterable[ledger.Cleared]) -> Sums:
    return {(each.stripe_ref, each.currency): each.net_minor for each in cleared}


def _booked(lines: Iterable[BalanceTransaction]) -> list[Booked]:
    return [
        Booked(each.id, each.type, each.source, each.net_minor, each.currency) for each in lines
    ]
