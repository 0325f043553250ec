"""What the monitor reads off the database: how long work waits, and whether the books are right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from domain.ledger.accounts import JournalKind
from domain.media.states import MediaState
from domain.stripe_calls import CallState
from domain.stripe_events import EventState, ParkedBecause
from infra.ids import new_id
from infra.models import Journal, Reconciliation, StripeCall, StripeEvent
from infra.queries import monitoring
from tests.harness.rows import MakeMedia

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _event(name: str, state: EventState, *, minutes_ago: int) -> StripeEvent:
    at = NOW - timedelta(minutes=minutes_ago)
    is_parked = state is EventState.PARKED
    return StripeEvent(
        id=f"evt_{name}",
        type="charge.refunded",
        object_id="ch_1",
        object_type="charge",
        created_at=at,
        received_at=at,
        state=state,
        reason=ParkedBecause.NO_RUN if is_parked else None,
        settled_at=None if state is EventState.NEW else at,
    )


def test_of_what_waits_the_oldest_is_told_and_what_is_done_is_left_out(session: Session) -> None:
    session.add_all(
        [
            _event("old", EventState.NEW, minutes_ago=40),
            _event("young", EventState.NEW, minutes_ago=2),
            _event("told", EventState.HANDLED, minutes_ago=90),
            _event("nobodys", EventState.PARKED, minutes_ago=90),
        ]
    )
    session.flush()
    waits = {each.kind: each for each in monitoring.waiting(session, now=NOW)}
    assert waits["stripe_events"].count == 2
    assert waits["stripe_events"].oldest_at == NOW - timedelta(minutes=40)
    assert monitoring.parked_events(session) == {"no_run": 1}
    others = {kind: each.count for kind, each in waits.items() if kind != "stripe_events"}
    assert set(others.values()) == {0}


def test_an_order_that_only_a_person_repeats_is_waited_for_by_nobody(session: Session) -> None:
    for path in ("/account_links", "/accounts", "/refunds"):
        session.add(
            StripeCall(
                key=path,
                request_hash=b"x",
                path=path,
                state=CallState.UNKNOWN,
                op_id=new_id(),
                first_sent_at=NOW,
                last_sent_at=NOW,
            )
        )
    session.flush()
    waits = {each.kind: each.count for each in monitoring.waiting(session, now=NOW)}
    assert waits["stripe_orders"] == 1


def test_media_and_deletions_wait_by_their_own_states(
    make_media: MakeMedia, session: Session
) -> None:
    make_media(state=MediaState.PROCESSING, updated_at=NOW - timedelta(hours=1))
    make_media(state=MediaState.READY, updated_at=NOW - timedelta(hours=9))
    make_media(state=MediaState.DELETED, deleted_at=NOW - timedelta(hours=2))
    waits = {each.kind: each for each in monitoring.waiting(session, now=NOW)}
    assert (waits["media"].count, waits["deletions"].count) == (1, 1)
    assert waits["media"].oldest_at == NOW - timedelta(hours=1)


def test_a_balance_that_somebody_changed_by_hand_is_seen(session: Session) -> None:
    assert monitoring.imbalances_minor(session) == {}
    # As whoever goes past the triggers would.
    session.execute(text("SET LOCAL session_replication_role TO replica"))
    account = {"id": new_id(), "kind": "stripe_clearing"}
    session.execute(
        text(
            "INSERT INTO ledger_accounts (id, owner_type, kind, currency, allow_negative,"
            " allow_positive) VALUES (:id, 'platform', :kind, 'eur', true, true)"
        ),
        account,
    )
    session.execute(
        text(
            "INSERT INTO account_balances (account_id, allow_negative, allow_positive,"
            " posted_minor) VALUES (:id, true, true, -250)"
        ),
        account,
    )
    assert monitoring.imbalances_minor(session) == {"eur": -250}


def _journal(effective_at: datetime) -> Journal:
    return Journal(
        id=new_id(),
        event_key=f"test:{effective_at}",
        body_hash=b"x",
        kind=JournalKind.RELEASE,
        effective_at=effective_at,
    )


def test_books_that_were_never_compared_wait_since_the_first_journal(session: Session) -> None:
    assert monitoring.last_comparison(session) is None
    for hours in (3, 90):
        effective_at = NOW - timedelta(hours=hours)
        session.add(_journal(effective_at))
    session.flush()
    since = NOW - timedelta(hours=90)
    assert monitoring.last_comparison(session) == monitoring.Comparison(since, None)


def test_of_comparisons_the_last_one_counts(session: Session) -> None:
    session.add(_journal(NOW - timedelta(days=9)))
    for hours, breaks in ((12, 3), (6, 0)):
        ended_at = NOW - timedelta(hours=hours)
        session.add(
            Reconciliation(
                id=new_id(),
                window_start=ended_at - timedelta(days=1),
                window_end=ended_at,
                started_at=ended_at,
                ended_at=ended_at,
                sources_checked=1,
                breaks_found=breaks,
            )
        )
    session.flush()
    last = monitoring.Comparison(NOW - timedelta(hours=6), 0)
    assert monitoring.last_comparison(session) == last
