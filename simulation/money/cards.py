"""Cards that fans add and remove; their browsers speak with Stripe by themselves."""

from __future__ import annotations

from urllib.parse import urlencode

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from devstack.stripe.setup_intents import setup_authenticated
from domain.errors import Conflict
from domain.ids import card_setup_workflow_id
from domain.payment_methods import SetupState
from infra.db import async_transaction, transaction
from infra.models import CardSetup, PaymentMethod
from infra.queries.payment_methods.own import begin_setup, own_cards, prefer_card, remove_card
from simulation.money.parts import Parts
from simulation.money.picks import PATIENCE, Picks
from workflows.payment_methods.messages import CardRemovalOrder, CardSetupOrder
from workflows.payment_methods.start import begin_removal, look_now, set_up_now

TYPED = (
    *("visa", "chargeCustomerFail", "authenticationRequiredOnSetup", "authenticationRequired"),
    *("chargeDeclined", "authenticationRequiredSetupForOffSession", "createDispute"),
)
"""Stripe's test cards that fans type in, of which one can't be saved."""


async def card_of(session: AsyncSession, fan_id: str, picks: Picks) -> PaymentMethod:
    """One that the fan has now.

    Raises:
        Conflict: `card_missing`, as the routes answer.
    """
    cards = await own_cards(session, fan_id)
    if not cards:
        raise Conflict("There is no such card.", code="card_missing")
    return picks.of(cards, "card")


async def add_card(parts: Parts, picks: Picks) -> None:
    """A fan opens the form."""
    fan_id = picks.of(parts.cast.fans, "fan")
    async with async_transaction(parts.async_engine) as session:
        setup = await begin_setup(session, fan_id=fan_id, at=parts.now)
    await set_up_now(
        parts.temporal.client,
        CardSetupOrder(setup.id, fan_id, parts.now),
        queue_prefix=parts.queue_prefix,
        patience=PATIENCE,
    )


async def type_card(parts: Parts, picks: Picks) -> None:
    """A fan types a number into a form, or answers what the bank asks of it; some tell us."""
    with transaction(parts.engine) as session:
        forms = session.scalars(
            select(CardSetup)
            .where(CardSetup.state == SetupState.OPEN.value, CardSetup.setup_intent_id.is_not(None))
            .order_by(CardSetup.created_at, CardSetup.id)
        ).all()
    if not forms:
        return
    form = picks.of(forms, "thing")
    assert form.setup_intent_id is not None
    parts.way.keep_time()
    scope = parts.way.stripe.scope()
    if scope.get("setup_intent", form.setup_intent_id)["status"] == "requires_action":
        setup_authenticated(scope, form.setup_intent_id, passed=picks.number("choice") % 4 != 0)
    else:
        card = picks.of(TYPED, "card")
        parts.browser.post(
            f"/v1/setup_intents/{form.setup_intent_id}/confirm",
            urlencode({"payment_method": f"pm_card_{card}"}),
        )
    if picks.number("choice") % 2:
        await look_now(parts.temporal.client, card_setup_workflow_id(form.id), patience=PATIENCE)


async def prefer(parts: Parts, picks: Picks) -> None:
    """A fan chooses what they pay with from now on."""
    fan_id = picks.of(parts.cast.fans, "fan")
    async with async_transaction(parts.async_engine) as session:
        card = await card_of(session, fan_id, picks)
        await prefer_card(session, fan_id=fan_id, card_id=card.id)


async def remove(parts: Parts, picks: Picks) -> None:
    """A fan removes a card, whatever is being paid with it."""
    fan_id = picks.of(parts.cast.fans, "fan")
    async with async_transaction(parts.async_engine) as session:
        card = await card_of(session, fan_id, picks)
        await remove_card(session, fan_id=fan_id, card_id=card.id, at=parts.now)
    await begin_removal(
        parts.temporal.client,
        CardRemovalOrder(card.id, parts.now),
        queue_prefix=parts.queue_prefix,
    )
