"""What is said to a bank."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from domain.charges.states import ChargeKind
from domain.evidence import ACCESSES_MAX, TEXT_CHARS_MAX, Access, EvidenceFacts, evidence_for
from domain.money import Money

PAID_AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FACTS = EvidenceFacts(
    charge_id="0b2c",
    kind=ChargeKind.UNLOCK,
    amount=Money(1_500, "USD"),
    paid_at=PAID_AT,
    fan_handle="fan",
    fan_name="Fay Fan",
    fan_email="fay@example.org",
    fan_since=datetime(2025, 1, 1, tzinfo=UTC),
    creator_handle="maker",
    refunded=Money(0, "USD"),
    undisputed_before=4,
    accesses=(
        Access(PAID_AT + timedelta(hours=5), "post 2", "203.0.113.9", "Firefox"),
        Access(PAID_AT + timedelta(minutes=1), "post 1", "203.0.113.7", "Safari"),
    ),
)


def test_evidence_says_who_bought_what_and_opened_it_when() -> None:
    evidence = evidence_for(FACTS)
    assert evidence["customer_name"] == "Fay Fan"
    assert evidence["customer_email_address"] == "fay@example.org"
    assert evidence["customer_purchase_ip"] == "203.0.113.7"
    assert evidence["service_date"] == "2026-03-01"
    assert "2026-03-01 12:01:00; post 1; 203.0.113.7; Safari" in evidence["access_activity_log"]
    said = evidence["uncategorized_text"]
    assert "15.00 USD" in said
    assert "4 other payments" in said
    assert "refunded" not in said


def test_what_is_not_known_is_not_said() -> None:
    evidence = evidence_for(replace(FACTS, accesses=(), fan_email=None))
    assert evidence.keys() == {
        "customer_name",
        "product_description",
        "service_date",
        "uncategorized_text",
    }


def test_no_text_is_longer_than_stripe_takes() -> None:
    access = Access(PAID_AT, "media " + "0" * 36, "2001:db8::" + "f" * 29, "agent " * 60)
    evidence = evidence_for(replace(FACTS, accesses=(access,) * 2_000))
    log = evidence["access_activity_log"]
    assert len(log) <= TEXT_CHARS_MAX
    assert log.count("\n") == ACCESSES_MAX
