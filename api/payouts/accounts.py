"""Routes of the account that a creator is paid out to."""

from __future__ import annotations

import asyncio

import structlog
from fastapi import APIRouter

from api import API_PREFIX
from api.auth.callers import SignedInCaller
from api.auth.standing import FreshCaller
from api.parts import ApiParts, Parts
from api.payouts import schemas
from api.payouts.views import account_fields
from api.problems import PROBLEMS
from domain.errors import Invalid, StepBlocked, Unavailable
from domain.letters import PAYOUTS_PATH
from infra.db import async_transaction
from infra.ids import new_id
from infra.models import User
from infra.queries.callers import load_caller
from infra.queries.creators.settings import creator_row
from infra.queries.payouts import reading
from infra.queries.payouts.accounts import account_id_of, keep_account
from infra.stripe.objects import AccountLink
from workflows.payouts.start import watch_account

log = structlog.get_logger(__name__)
router = APIRouter(prefix=f"{API_PREFIX}/me", tags=["payouts"], responses=PROBLEMS)


@router.get("/payout-account", operation_id="getPayoutAccount")
async def get_account(caller: SignedInCaller, parts: ApiParts) -> schemas.AccountBody:
    """The caller's account for payouts. 404 where there is none yet."""
    account = await reading.own_account(parts.reads, caller.caller)
    return schemas.AccountBody(**account_fields(account))


@router.post("/payout-account", operation_id="openPayoutAccount")
async def open_account(
    wish: schemas.AccountCreate, fresh: FreshCaller, caller: SignedInCaller, parts: ApiParts
) -> schemas.OnboardingBody:
    """Open the account, if there is none, and get a link to the page that completes it.

    For creators with a fresh proof. Ask again whenever a link has run out or something is asked
    for: each answer has a new one.
    """
    del fresh  # Asked for, because it refuses everybody else.
    async with async_transaction(parts.engine) as session:
        user = await load_caller(session, caller.caller)
        await creator_row(session, user)
        account_id = await session.run_sync(account_id_of, user.id)
    if account_id is None:
        account_id = await _create(parts, user, wish.country)
    link = await asyncio.to_thread(_link, parts, user.id, account_id)
    watching = watch_account(parts.temporal, user.id, queue_prefix=parts.settings.task_queue_prefix)
    await parts.starter.begin(watching, what="payout_account", creator_id=user.id)
    account = await reading.own_account(parts.reads, caller.caller)
    return schemas.OnboardingBody(
        **account_fields(account), onboarding_url=link.url, onboarding_expires_at=link.expires_at
    )


async def _create(parts: Parts, user: User, country: str) -> str:
    """The id of the creator's account. Of two requests at once both have the same answer: the
    order has one key, and where they name two countries the first account stays."""
    now = parts.now()
    try:
        account = await asyncio.to_thread(
            parts.gateway.create_account,
            country=country,
            key=f"connect:{user.id}:account:{country}",
            op_id=user.id,
            at=now,
        )
    except StepBlocked as error:
        if error.code != "payment_request_refused":
            raise _not_now(error) from error
        raise Invalid(
            "The payment processor opens no account in this country.",
            code="payout_country_refused",
            country=country,
        ) from error
    async with async_transaction(parts.engine) as session:
        kept = await session.run_sync(lambda sync: keep_account(sync, user.id, account, at=now))
    return kept.account_id


def _link(parts: Parts, creator_id: str, account_id: str) -> AccountLink:
    page = parts.settings.app_url.rstrip("/") + PAYOUTS_PATH
    try:
        return parts.gateway.create_account_link(
            account_id,
            refresh_url=page,
            return_url=page,
            # A link opens once, so no two requests share one.
            key=f"connect:{creator_id}:link:{new_id()}",
            op_id=creator_id,
            at=parts.now(),
        )
    except StepBlocked as error:
        raise _not_now(error) from error


def _not_now(error: StepBlocked) -> Unavailable:
    """What only whoever runs the platform can mend, such as a key that Stripe refuses."""
    log.error("payout_account_unavailable", why=error.message, code=error.code)
    return Unavailable(
        "The payment processor does not let us do this now.", code="payout_account_unavailable"
    )
