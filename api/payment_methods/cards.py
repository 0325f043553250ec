"""Routes of cards. Their numbers go from the browser to Stripe, and never come here."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from api import API_PREFIX
from api.auth.callers import SignedIn, SignedInCaller
from api.charges.views import decline_body
from api.parts import ApiParts, Parts
from api.payment_methods import schemas
from api.problems import PROBLEMS
from domain.ids import card_setup_workflow_id
from domain.payment_methods import SETUP_TTL, SetupState
from infra.db import async_transaction
from infra.queries.callers import load_caller
from infra.queries.payment_methods.own import (
    begin_setup,
    own_cards,
    own_setup,
    prefer_card,
    remove_card,
)
from workflows.payment_methods.messages import CardRemovalOrder, CardSetupOrder
from workflows.payment_methods.start import begin_removal, look_now, set_up_now

router = APIRouter(prefix=API_PREFIX, tags=["payments"], responses=PROBLEMS)

CardPath = Annotated[str, Path(pattern=r"^pm_[A-Za-z0-9_]{1,250}$")]


@router.post(
    "/me/card-setups",
    operation_id="setUpCard",
    status_code=201,
    response_model=schemas.CardSetupBody,
)
async def set_up(
    caller: SignedInCaller, parts: ApiParts, response: Response
) -> schemas.CardSetupBody:
    """Begin to add a card. The browser gives `client_secret` to Stripe's script, which asks for
    the number and lets its holder confirm with the bank where the bank wants that."""
    now = parts.now()
    async with async_transaction(parts.engine) as session:
        fan = await load_caller(session, caller.caller, lock=True)
        setup = await begin_setup(session, fan_id=fan.id, at=now)
    order = CardSetupOrder(setup.id, fan.id, now)
    beginning = set_up_now(
        parts.temporal,
        order,
        queue_prefix=parts.settings.task_queue_prefix,
        patience=parts.starter.patience,
    )
    await parts.starter.hear(beginning, what="card_setup", setup_id=setup.id)
    response.headers["Location"] = f"{API_PREFIX}/me/card-setups/{setup.id}"
    return await _read(parts, caller, setup.id)


@router.get(
    "/me/card-setups/{setup_id}",
    operation_id="getCardSetup",
    response_model=schemas.CardSetupBody,
)
async def get_setup(
    setup_id: UUID, caller: SignedInCaller, parts: ApiParts
) -> schemas.CardSetupBody:
    """How the adding of a card stands."""
    return await _read(parts, caller, str(setup_id))


@router.post(
    "/me/card-setups/{setup_id}/confirmed",
    operation_id="confirmCardSetup",
    response_model=schemas.CardSetupBody,
)
async def confirmed(
    setup_id: UUID, caller: SignedInCaller, parts: ApiParts
) -> schemas.CardSetupBody:
    """Say that the browser is through, so that it is looked at right now.

    Without it the card is kept all the same, as soon as Stripe tells of it.
    """
    body = await _read(parts, caller, str(setup_id))
    if body.state is SetupState.OPEN:
        looking = look_now(
            parts.temporal, card_setup_workflow_id(body.id), patience=parts.starter.patience
        )
        await parts.starter.hear(looking, what="confirmation", setup_id=body.id)
        body = await _read(parts, caller, body.id)
    return body


@router.get("/me/cards", operation_id="listMyCards")
async def get_cards(caller: SignedInCaller, parts: ApiParts) -> schemas.CardList:
    """The caller's cards, the newest first."""
    async with async_transaction(parts.engine) as session:
        fan = await load_caller(session, caller.caller)
        cards = await own_cards(session, fan.id)
    return schemas.CardList(
        data=[
            schemas.CardBody(
                id=each.id,
                brand=each.brand,
                last4=each.last4,
                exp_month=each.exp_month,
                exp_year=each.exp_year,
                is_default=each.is_default,
                added_at=each.added_at,
            )
            for each in cards
        ]
    )


@router.put("/me/cards/{card_id}/default", operation_id="preferCard", status_code=204)
async def put_default(card_id: CardPath, caller: SignedInCaller, parts: ApiParts) -> None:
    """Pay with this card unless a request names another. Repeating it is safe."""
    async with async_transaction(parts.engine) as session:
        fan = await load_caller(session, caller.caller, lock=True)
        await prefer_card(session, fan_id=fan.id, card_id=card_id)


@router.delete("/me/cards/{card_id}", operation_id="removeCard", status_code=204)
async def delete(card_id: CardPath, caller: SignedInCaller, parts: ApiParts) -> None:
    """Charge a card no more, and have Stripe forget it."""
    now = parts.now()
    async with async_transaction(parts.engine) as session:
        fan = await load_caller(session, caller.caller, lock=True)
        await remove_card(session, fan_id=fan.id, card_id=card_id, at=now)
    removal = begin_removal(
        parts.temporal,
        CardRemovalOrder(card_id, now),
        queue_prefix=parts.settings.task_queue_prefix,
    )
    await parts.starter.begin(removal, what="card_removal", card_id=card_id)


async def _read(parts: Parts, caller: SignedIn, setup_id: str) -> schemas.CardSetupBody:
    async with async_transaction(parts.engine) as session:
        fan = await load_caller(session, caller.caller)
        setup = await own_setup(session, fan_id=fan.id, setup_id=setup_id)
    return schemas.CardSetupBody(
        id=setup.id,
        state=SetupState(setup.state),
        client_secret=setup.client_secret,
        publishable_key=parts.settings.stripe_publishable_key,
        decline=decline_body(setup.decline_code, None),
        payment_method_id=setup.payment_method_id,
        expires_at=setup.created_at + SETUP_TTL,
    )
