"""Several sessions at once: nothing deadlocks, nothing is lost, nothing is posted twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from domain.accounts import Role
from domain.ledger.payouts import Reserved
from infra.db import transaction
from infra.ids import new_id
from infra.models import EarningLot, Journal, LotMovement
from infra.queries.ledger import (
    record_fee,
    record_sale,
    release_due,
    reserve_payout,
    return_payout,
    verify,
)
from tests.harness.database import StatementCount
from tests.harness.rows import MakeUser
from tests.integration.ledger.books import DAY, DEFAULTS, NOW, Books
from tests.integration.ledger.test_charges import facts

ROUNDS = 12


@pytest.fixture
def creator_id(make_user: MakeUser) -> str:
    return make_user(role=Role.CREATOR).id


@pytest.fixture
def proved_engine(engine: Engine) -> Iterator[Engine]:
    yield engine
    with transaction(engine) as session:
        assert verify(session) == []


def together(*acts: Callable[[], None]) -> None:
    """Run each in a thread of its own, beginning at one moment; raise what any of them raises."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], None]) -> None:
        start.wait(timeout=10)
        act()

    with ThreadPoolExecutor(len(acts)) as pool:
        for ended in [pool.submit(run, act) for act in acts]:
            ended.result(timeout=60)


def count(engine: Engine, kind: str) -> int:
    with transaction(engine) as session:
        wanted = select(func.count()).select_from(Journal).where(Journal.kind == kind)
        return session.scalar(wanted) or 0


def test_refunds_payouts_and_releases_of_one_creator(
    proved_engine: Engine, creator_id: str
) -> None:
    engine = proved_engine
    with transaction(engine) as session:
        books = Books(session, creator_id)
        charges = []
        for _ in range(ROUNDS):
            charges.append(books.sell(1000))
            books.now += timedelta(hours=1)

    def refund() -> None:
        for charge_id in charges:
            for _ in range(2):
                with transaction(engine) as session:
                    Books(session, creator_id).refund(charge_id, 300)

    def pay_out() -> None:
        for _ in range(ROUNDS):
            payout_id = new_id()
            with transaction(engine) as session:
                found = reserve_payout(
                    session,
                    payout_id=payout_id,
                    creator_id=creator_id,
                    currency="USD",
                    at=NOW,
                    minimum_minor=1,
                )
            if isinstance(found, Reserved):
                with transaction(engine) as session:
                    return_payout(session, payout_id=payout_id, at=NOW)

    def release() -> None:
        for hour in range(ROUNDS):
            at = NOW + 7 * DAY + timedelta(hours=hour)
            with transaction(engine) as session:
                release_due(session, creator_id=creator_id, at=at)

    together(refund, pay_out, release)
    assert count(engine, "refund") == 2 * ROUNDS
    with transaction(engine) as session:
        lots = session.scalars(select(EarningLot)).all()
        assert {lot.returned_share_minor for lot in lots} == {480}
        assert all(lot.released_at is not None for lot in lots)
        # Each refund took the share once, from whatever lots there were.
        taken = select(func.sum(LotMovement.amount_minor)).where(LotMovement.part == "refunded")
        paid = select(func.sum(LotMovement.amount_minor)).where(LotMovement.part == "debt_paid")
        assert (session.scalar(taken) or 0) + (session.scalar(paid) or 0) == 480 * ROUNDS


def test_several_journals_in_one_transaction_in_any_order(
    proved_engine: Engine, make_user: MakeUser
) -> None:
    """One locks the fees' account first and the commission's later, the other the reverse."""
    engine = proved_engine

    def act(*, fee_first: bool) -> Callable[[], None]:
        creator = make_user(role=Role.CREATOR).id

        def fee(session: Session) -> None:
            record_fee(
                session,
                txn_id=new_id(),
                stripe_ref="ch_1",
                fee_minor=30,
                currency="USD",
                at=NOW,
            )

        def sell(session: Session) -> None:
            Books(session, creator).sell(1000, tax_minor=100)

        def run() -> None:
            for _ in range(ROUNDS):
                with transaction(engine) as session:
                    for step in (fee, sell) if fee_first else (sell, fee):
                        step(session)

        return run

    together(act(fee_first=True), act(fee_first=False), act(fee_first=True), act(fee_first=False))
    assert (count(engine, "sale"), count(engine, "fee")) == (4 * ROUNDS, 4 * ROUNDS)


def test_one_event_told_by_several_at_once_is_posted_once(
    proved_engine: Engine, creator_id: str
) -> None:
    engine = proved_engine
    charge_id = new_id()
    new: list[bool] = []

    def sell() -> None:
        with transaction(engine) as session:
            sale = facts(Books(session, creator_id), charge_id=charge_id)
            new.append(record_sale(session, sale, defaults=DEFAULTS).is_new)

    def fee() -> None:
        with transaction(engine) as session:
            posted = record_fee(
                session, txn_id="txn_1", stripe_ref="ch_1", fee_minor=30, currency="USD", at=NOW
            )
            assert posted is not None
            new.append(posted.is_new)

    together(sell, sell, sell, fee, fee, fee)
    assert sorted(new) == [False] * 4 + [True] * 2


def test_few_statements(proved_engine: Engine, creator_id: str) -> None:
    """Each one is a way to Postgres and back while other sales wait."""
    engine = proved_engine
    counted = {}
    with transaction(engine) as session:
        books = Books(session, creator_id)
        books.sell()
        with StatementCount(engine) as statements:
            charge_id = books.sell(1160, tax_minor=160)
        counted["sale"] = len(statements)
        with StatementCount(engine) as statements:
            books.refund(charge_id, 100)
        counted["refund"] = len(statements)
        with StatementCount(engine) as statements:
            books.release()
        counted["release"] = len(statements)
        with StatementCount(engine) as statements:
            books.reserve()
        counted["reserve"] = len(statements)
        with StatementCount(engine) as statements:
            record_fee(
                session, txn_id="txn_1", stripe_ref="ch_1", fee_minor=30, currency="USD", at=NOW
            )
        counted["fee"] = len(statements)
    assert counted == {"sale": 4, "refund": 7, "release": 6, "reserve": 8, "fee": 2}
