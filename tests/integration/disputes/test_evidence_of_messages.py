"""What a bank is told of a message that was bought: when it was read."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine

from activities.disputes import DisputeActivities
from infra.db import transaction
from infra.models import AccessEntry, Charge, Message, Unlock, User
from tests.harness.messages import write_message
from tests.harness.sales import Sales
from tests.integration.disputes.test_disputes import look, row

HOUR = timedelta(hours=1)


def sell_message(engine: Engine, sales: Sales, fan: User) -> tuple[Charge, Message]:
    """A sale of which a message is the subject."""
    charge = sales.sell(fan)
    message = write_message(engine, sales.creator, fan, price_minor=1_000, currency="USD")
    with transaction(engine) as session:
        unlock = session.get_one(Unlock, charge.subject_id)
        unlock.post_id, unlock.message_id = None, message.id
    return charge, message


def test_evidence_tells_when_a_message_was_read(
    sales: Sales, following: DisputeActivities, engine: Engine, fan: User
) -> None:
    sold = [sell_message(engine, sales, fan) for _ in range(2)]
    sales.pass_time(HOUR)
    with transaction(engine) as session:
        for charge, message in sold:
            session.add(
                AccessEntry(
                    fan_id=charge.fan_id,
                    item_type="message",
                    item_id=message.id,
                    hour=sales.now.replace(minute=0, second=0, microsecond=0),
                    creator_id=charge.creator_id,
                    at=sales.now,
                    address="203.0.113.7",
                    agent="Firefox",
                )
            )
    dispute_id = sales.dispute(sold[0][0])
    look(following, sales, dispute_id)
    pack = row(engine, dispute_id).evidence
    assert pack is not None
    assert pack["access_activity_log"].count("; message ") == 1
    assert sold[0][1].id in pack["access_activity_log"]
