"""Routes of the account that a creator is paid out to."""

from __future__ import annotations

from fastapi import APIRouter

from api import API_PREFIX
from api.auth.callers import SignedInCaller
from api.parts import ApiParts
from api.payouts import schemas
from api.payouts.views import account_fields
from api.problems import PROBLEMS
from infra.queries.payouts import reading

router = APIRouter(prefix=f"{API_PREFIX}/me", tags=["payouts"], responses=PROBLEMS)


@router.get("/payout-account", operation_id="getPayoutAccount")
async def get_account(caller: SignedInCaller, parts: ApiParts) -> schemas.AccountBody:
    """The caller's account for payouts. 404 where there is none yet."""
    account = await reading.own_account(parts.reads, caller.caller)
    return schemas.AccountBody(**account_fields(account))
