from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import stripe
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from activities.charges.taking import ChargeTaker
from devstack.stripe import Fault, LocalStripe
from devstack.stripe.faults import FaultKind
from domain.accounts import Role
from domain.charges.states import ChargeKind, ChargeState, DeclineKind
from domain.errors import Conflict, StepBlocked, Unavailable
from domain.ids import derived_id
from infra.db import transaction
from infra.ids import new_id
from infra.models import Charge, Journal, JournalEntry, LedgerAccount, PaymentMethod, User
from infra.queries import ledger
from infra.settings import Settings
from infra.stripe.gateway import StripeGateway
from tests.harness.rows import MakeUser
from tests.harness.stripe import GiveCard, authenticate
from workflows.charges.messages import ChargeOrder

NOW = datetime.now(UTC)


class Followed:
    """Notes in which states the charge was followed."""

    def __init__(self) -> None:
        self.states: list[str] = []

    def __call__(self, session: Session, charge: Charge) -> None:
        self.states.append(charge.state)


@pytest.fixture
def taker(settings: Settings, engine: Engine, gateway: StripeGateway) -> ChargeTaker:
    return ChargeTaker(settings, engine, gateway)


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


@pytest.fixture
def fan(make_user: MakeUser) -> User:
    return make_user()


MakeOrder = Callable[..., ChargeOrder]


@pytest.fixture
def make_order(creator: User, fan: User) -> MakeOrder:
    def make(card: PaymentMethod, **changes: object) -> ChargeOrder:
        values: dict[str, object] = {
            "kind": ChargeKind.UNLOCK,
            "subject_id": new_id(),
            "step": "charge",
            "generation": 1,
            "fan_id": fan.id,
            "creator_id": creator.id,
            "amount_minor": 1000,
            "currency": "USD",
            "payment_method_id": card.id,
            "off_session": False,
            "workflow_id": "unlock:test",
            "at": NOW,
        }
        return ChargeOrder(**{**values, **changes})  # type: ignore[arg-type]

    return make


def balances(engine: Engine, charge_id: str) -> dict[str, int]:
    """What this charge's journals posted, by kind of account."""
    with transaction(engine) as session:
        rows = session.execute(
            select(LedgerAccount.kind, func.sum(JournalEntry.amount_minor))
            .join(JournalEntry, JournalEntry.account_id == LedgerAccount.id)
            .join(Journal, Journal.id == JournalEntry.journal_id)
            .join(Charge, Charge.stripe_charge_id == Journal.stripe_ref)
            .where(Charge.id == charge_id)
            .group_by(LedgerAccount.kind)
        )
        return {kind: int(amount) for kind, amount in rows}


def charge_row(engine: Engine, charge_id: str) -> Charge:
    with transaction(engine) as session:
        return session.get_one(Charge, charge_id)


def test_a_good_card_pays_at_once_and_once(
    taker: ChargeTaker,
    engine: Engine,
    stripe_client: stripe.StripeClient,
    fan: User,
    give_card: GiveCard,
    make_order: MakeOrder,
) -> None:
    order, followed = make_order(give_card(fan)), Followed()
    first = taker.take(order, followed)
    again = taker.take(order, followed)
    assert first == again
    assert first.state is ChargeState.PAID
    assert followed.states == ["paid"]
    assert len(stripe_client.v1.payment_intents.list().data) == 1
    # 20 % of 10.00 are the platform's; Stripe keeps 2.9 % and 0.30.
    assert balances(engine, first.charge_id) == {
        "stripe_clearing": -1000 + 59,
        "stripe_fees": -59,
        "commission": 200,
        "pending": 800,
    }
    assert stripe_client.v1.balance.retrieve().pending[0].amount == 1000 - 59
    with transaction(engine) as session:
        assert ledger.verify(session) == []


def test_a_declined_card_takes_nothing_and_says_why(
    taker: ChargeTaker,
    engine: Engine,
    fan: User,
    give_card: GiveCard,
    make_order: MakeOrder,
) -> None:
    card = give_card(fan, "pm_card_chargeCustomerFail")
    followed = Followed()
    outcome = taker.take(make_order(card), followed)
    assert outcome.state is ChargeState.DECLINED
    assert outcome.decline_kind is DeclineKind.SOFT
    assert outcome.decline_code is not None
    assert followed.states == ["declined"]
    assert balances(engine, outcome.charge_id) == {}


def test_after_a_decline_the_next_generation_pays(
    taker: ChargeTaker, fan: User, give_card: GiveCard, make_order: MakeOrder
) -> None:
    bad, good = give_card(fan, "pm_card_chargeCustomerFail"), give_card(fan)
    order = make_order(bad)
    assert taker.take(order, Followed()).state is ChargeState.DECLINED
    next_order = make_order(good, subject_id=order.subject_id, generation=2)
    assert taker.take(next_order, Followed()).state is ChargeState.PAID
    third = make_order(good, subject_id=order.subject_id, generation=3)
    with pytest.raises(Conflict) as refused:
        taker.take(third, Followed())
    assert refused.value.code == "charge_paid"


def test_one_try_at_a_time(
    taker: ChargeTaker, fan: User, give_card: GiveCard, make_order: MakeOrder
) -> None:
    order = make_order(give_card(fan, "pm_card_authenticationRequired"))
    assert taker.take(order, Followed()).state is ChargeState.REQUIRES_ACTION
    other = make_order(give_card(fan), subject_id=order.subject_id, generation=2)
    with pytest.raises(Conflict) as refused:
        taker.take(other, Followed())
    assert refused.value.code == "charge_under_way"


def test_the_same_try_on_other_terms_is_refused(
    taker: ChargeTaker, fan: User, give_card: GiveCard, make_order: MakeOrder
) -> None:
    card = give_card(fan)
    order = make_order(card)
    taker.take(order, Followed())
    dearer = make_order(card, subject_id=order.subject_id, amount_minor=1001)
    with pytest.raises(Conflict) as refused:
        taker.take(dearer, Followed())
    assert refused.value.code == "charge_differs"


def test_off_session_a_bank_that_wants_its_holder_declines(
    taker: ChargeTaker, fan: User, give_card: GiveCard, make_order: MakeOrder
) -> None:
    card = give_card(fan, "pm_card_authenticationRequired")
    outcome = taker.take(make_order(card, off_session=True), Followed())
    assert outcome.state is ChargeState.DECLINED
    assert outcome.decline_kind is DeclineKind.NEEDS_FAN


def test_a_fan_who_is_no_customer_is_for_an_operator(
    taker: ChargeTaker, make_order: MakeOrder
) -> None:
    stranger = PaymentMethod(id="pm_nobody")
    with pytest.raises(StepBlocked) as blocked:
        taker.take(make_order(stranger), Followed())
    assert blocked.value.code == "customer_missing"


@pytest.mark.parametrize("kind", ["lost_before", "lost_after", "failed_after", "refused_before"])
def test_whatever_happens_to_the_call_the_fan_is_charged_once(
    kind: FaultKind,
    taker: ChargeTaker,
    local_stripe: LocalStripe,
    stripe_client: stripe.StripeClient,
    fan: User,
    give_card: GiveCard,
    make_order: MakeOrder,
) -> None:
    card = give_card(fan)
    order, followed = make_order(card), Followed()
    local_stripe.faults.add(Fault(kind, method="POST", path="/v1/payment_intents"))
    with pytest.raises(Unavailable):
        taker.take(order, followed)
    assert followed.states == []
    later = make_order(card, subject_id=order.subject_id, at=NOW + timedelta(minutes=5))
    assert taker.take(later, followed).state is ChargeState.PAID
    assert followed.states == ["paid"]
    assert len(stripe_client.v1.payment_intents.list().data) == 1


def test_who_dies_before_the_payment_is_written_down_finds_it_again(
    taker: ChargeTaker,
    engine: Engine,
    stripe_client: stripe.StripeClient,
    fan: User,
    give_card: GiveCard,
    make_order: MakeOrder,
) -> None:
    order = make_order(give_card(fan))

    def die(_session: Session, _charge: Charge) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        taker.take(order, die)
    with transaction(engine) as session:
        assert session.scalar(select(func.count()).select_from(Journal)) == 0
    followed = Followed()
    assert taker.take(order, followed).state is ChargeState.PAID
    assert followed.states == ["paid"]
    assert len(stripe_client.v1.payment_intents.list().data) == 1


def test_a_fan_who_confirms_has_paid(
    taker: ChargeTaker,
    engine: Engine,
    local_stripe: LocalStripe,
    fan: User,
    give_card: GiveCard,
    make_order: MakeOrder,
) -> None:
    order, followed = make_order(give_card(fan, "pm_card_authenticationRequired")), Followed()
    waiting = taker.take(order, followed)
    assert waiting.state is ChargeState.REQUIRES_ACTION
    assert waiting.expires_at == NOW + timedelta(hours=23)
    charge = charge_row(engine, waiting.charge_id)
    assert charge.client_secret is not None
    assert taker.look(waiting.charge_id, NOW, followed) == waiting
    authenticate(local_stripe, charge, succeeds=True)
    assert taker.look(waiting.charge_id, NOW, followed).state is ChargeState.PAID
    assert followed.states == ["requires_action", "paid"]
    assert charge_row(engine, waiting.charge_id).client_secret is None


def test_after_a_failed_confirmation_the_browser_can_pay_no_more(
    taker: ChargeTaker,
    engine: Engine,
    local_stripe: LocalStripe,
    stripe_client: stripe.StripeClient,
    fan: User,
    give_card: GiveCard,
    make_order: MakeOrder,
) -> None:
    order = make_order(give_card(fan, "pm_card_authenticationRequired"))
    waiting = taker.take(order, Followed())
    charge = charge_row(engine, waiting.charge_id)
    authenticate(local_stripe, charge, succeeds=False)
    outcome = taker.look(waiting.charge_id, NOW, Followed())
    assert outcome.state is ChargeState.DECLINED
    assert outcome.decline_kind is DeclineKind.NEEDS_FAN
    assert charge.payment_intent_id is not None
    intent = stripe_client.v1.payment_intents.retrieve(charge.payment_intent_id)
    assert intent.status == "canceled"


def test_a_charge_that_is_given_up_as_the_fan_confirms_is_paid(
    taker: ChargeTaker,
    engine: Engine,
    local_stripe: LocalStripe,
    fan: User,
    give_card: GiveCard,
    make_order: MakeOrder,
) -> None:
    order, followed = make_order(give_card(fan, "pm_card_authenticationRequired")), Followed()
    waiting = taker.take(order, followed)
    authenticate(local_stripe, charge_row(engine, waiting.charge_id), succeeds=True)
    assert taker.cancel(waiting.charge_id, NOW, followed).state is ChargeState.PAID
    assert followed.states == ["requires_action", "paid"]


def test_a_charge_that_is_given_up_takes_nothing(
    taker: ChargeTaker, fan: User, give_card: GiveCard, make_order: MakeOrder
) -> None:
    order, followed = make_order(give_card(fan, "pm_card_authenticationRequired")), Followed()
    waiting = taker.take(order, followed)
    assert taker.cancel(waiting.charge_id, NOW, followed).state is ChargeState.CANCELED
    assert taker.cancel(waiting.charge_id, NOW, followed).state is ChargeState.CANCELED
    assert followed.states == ["requires_action", "canceled"]


def test_ids_are_made_from_what_is_paid_for() -> None:
    assert derived_id("charge", "a", "charge", "1") == derived_id("charge", "a", "charge", "1")
    assert derived_id("charge", "a", "charge", "1") != derived_id("charge", "a", "charge", "2")
