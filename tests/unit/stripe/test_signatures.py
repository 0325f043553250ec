"""Signatures of webhooks, held against those that Stripe's own package makes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import stripe
from pydantic import SecretStr

from domain.errors import Invalid
from infra.stripe.webhooks import verified_event

AT = datetime(2026, 3, 1, tzinfo=UTC)
SECRET, OTHER = "whsec_one", "whsec_two"
EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "refund.updated",
    "created": int(AT.timestamp()),
    "data": {
        "object": {
            "id": "re_1",
            "object": "refund",
            "payment_intent": "pi_1",
            "charge": {"id": "ch_1", "object": "charge"},
            "metadata": {"op_id": "r1", "op_kind": "refund", "workflow_id": "refund:r1"},
        },
        "previous_attributes": {"status": "pending"},
    },
}
BODY = json.dumps(EVENT).encode()


def signed(body: bytes = BODY, *, secret: str = SECRET, at: datetime = AT) -> str:
    made: str = stripe.WebhookSignature.generate_signature_header(
        body.decode(), secret, timestamp=int(at.timestamp())
    )
    return made


def accept(header: str | None, body: bytes = BODY, *secrets: str) -> object:
    known = [SecretStr(each) for each in secrets or (SECRET,)]
    return verified_event(body, header, secrets=known, at=AT)


def test_what_stripe_signs_is_read() -> None:
    event = verified_event(BODY, signed(), secrets=[SecretStr(SECRET)], at=AT)
    assert (event.id, event.type, event.object_id) == ("evt_1", "refund.updated", "re_1")
    assert (event.op_id, event.op_kind, event.workflow_id) == ("r1", "refund", "refund:r1")
    assert (event.payment_intent, event.charge) == ("pi_1", "ch_1")
    assert event.created_at == AT
    assert event.changed_fields == ("status",)


def test_either_secret_counts_while_one_is_being_replaced() -> None:
    for secret in (SECRET, OTHER):
        accept(signed(secret=secret), BODY, OTHER, SECRET)
    both = f"{signed()},{signed(secret=OTHER).split(',')[1]}"
    accept(both, BODY, OTHER)


@pytest.mark.parametrize("late", [timedelta(seconds=300), timedelta(seconds=-300)])
def test_a_signature_counts_for_five_minutes(late: timedelta) -> None:
    accept(signed(at=AT - late))
    further = late + timedelta(seconds=1 if late > timedelta() else -1)
    with pytest.raises(Invalid):
        accept(signed(at=AT - further))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "t=1",
        "v1=00",
        f"t=x,v1={'0' * 64}",
        signed(secret=OTHER),
        signed(BODY + b" "),
        signed().replace("v1=", "v0="),
        signed() + f",t={int(AT.timestamp())}",
        signed().replace("v1=", "v1=é"),
    ],
)
def test_anything_else_is_refused(header: str | None) -> None:
    with pytest.raises(Invalid) as raised:
        accept(header)
    assert raised.value.code == "signature_refused"


def test_nothing_is_believed_without_a_secret() -> None:
    with pytest.raises(Invalid) as raised:
        verified_event(BODY, signed(), secrets=[], at=AT)
    assert raised.value.code == "signature_refused"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"object": "v2.core.event"}'])
def test_what_is_signed_and_no_event_is_said_to_be_none(body: bytes) -> None:
    import hashlib
    import hmac

    seconds = int(AT.timestamp())
    mac = hmac.new(SECRET.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    with pytest.raises(Invalid) as raised:
        accept(f"t={seconds},v1={mac}", body)
    assert raised.value.code == "event_unreadable"


@pytest.mark.parametrize("digits", [12, 400, 5_000])
def test_a_time_of_any_length_is_refused_and_nothing_else(digits: int) -> None:
    with pytest.raises(Invalid) as refused:
        accept(f"t={'9' * digits},v1=00")
    assert refused.value.code == "signature_refused"
