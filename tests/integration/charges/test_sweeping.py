"""What the sweep of charges brings to an end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, update
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.charges import ChargeSweepActivities
from activities.charges.paying import ChargeActivities
from domain.accounts import Role
from domain.charges.states import ChargeKind
from infra.db import transaction
from infra.ids import new_id
from infra.models import Charge, Tip, User
from infra.queries import monitoring
from infra.settings import Settings
from infra.stripe.gateway import StripeGateway
from tests.harness.rows import MakeUser
from tests.harness.stripe import GiveCard
from workflows.charges.messages import ChargeOrder, ChargeSweepOrder, ChargeSweepReport

NOW = datetime.now(UTC)


def pay(
    engine: Engine, charging: ChargeActivities, *, fan: User, creator: User, card_id: str
) -> str:
    tip_id = new_id()
    with transaction(engine) as session:
        session.add(
            Tip(
                id=tip_id,
                fan_id=fan.id,
                creator_id=creator.id,
                amount_minor=500,
                currency="USD",
                state="charging",
                payment_method_id=card_id,
            )
        )
    order = ChargeOrder(
        kind=ChargeKind.TIP,
        subject_id=tip_id,
        step="charge",
        generation=1,
        fan_id=fan.id,
        creator_id=creator.id,
        amount_minor=500,
        currency="USD",
        payment_method_id=card_id,
        off_session=False,
        workflow_id=f"tip:{tip_id}",
        at=NOW,
    )
    return charging.take_charge(order).charge_id


async def test_one_charge_that_stripe_refuses_to_report_keeps_no_other_waiting(
    settings: Settings,
    engine: Engine,
    gateway: StripeGateway,
    temporal_client: Client,
    make_user: MakeUser,
    give_card: GiveCard,
) -> None:
    fan, creator = make_user(), make_user(role=Role.CREATOR)
    card = give_card(fan)
    charging = ChargeActivities(settings, engine, gateway)
    refused, late = (
        pay(engine, charging, fan=fan, creator=creator, card_id=card.id) for _ in range(2)
    )
    with transaction(engine) as session:
        session.execute(
            update(Charge)
            .where(Charge.id == refused)
            .values(tax_calculation_id="taxcalc_unknown", paid_at=NOW - timedelta(hours=1))
        )
        session.execute(update(Charge).where(Charge.id == late).values(fee_recorded_at=None))
    sweep = ChargeSweepActivities(settings, engine, gateway, temporal_client)
    report = await ActivityEnvironment().run(
        sweep.sweep_charges, ChargeSweepOrder(NOW + timedelta(minutes=5))
    )
    assert report == ChargeSweepReport(runs_tended=0, charges_finished=1, charges_refused=1)
    with transaction(engine) as session:
        assert session.get_one(Charge, late).fee_recorded_at is not None
        waits = {each.kind: each.count for each in monitoring.waiting(session, now=NOW)}
    assert waits["paid_charges"] == 1, "what is not reported is seen by the monitor"
