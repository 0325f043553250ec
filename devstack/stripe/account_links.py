"""Account links: where a creator fills in Stripe's form. Each opens once, within five minutes."""

from __future__ import annotations

from stripe.params import AccountLinkCreateParams

from devstack.stripe.accounts import live_account
from devstack.stripe.errors import Obj, refuse
from devstack.stripe.routes import route
from devstack.stripe.store import PLATFORM
from devstack.stripe.world import Scope

LIVES_SECONDS = 300


@route("POST", "/v1/account_links", AccountLinkCreateParams)
def create_account_link(scope: Scope, params: Obj) -> Obj:
    account = live_account(scope, params["account"], param="account")
    for name in ("refresh_url", "return_url"):
        if name not in params:
            refuse(f"Missing required param: {name}.", code="parameter_missing", param=name)
    if params["type"] == "account_update" and account["type"] == "express":
        refuse(
            "You cannot create `account_update` type Account Links for this account.",
            param="type",
        )
    ticket = scope.world.secret(scope.new_id("link"))
    row = {
        "account": account["id"],
        "expires_at": scope.now + LIVES_SECONDS,
        "return_url": params["return_url"],
        "refresh_url": params["refresh_url"],
        "opened": False,
    }
    scope.world.store.put(PLATFORM, "_link", ticket, row)
    return {
        "object": "account_link",
        "created": scope.now,
        "expires_at": scope.now + LIVES_SECONDS,
        "url": f"{scope.config.base_url}/_pages/onboarding/{ticket}",
    }
