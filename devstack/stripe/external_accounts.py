"""The bank accounts that a connected account is paid out to, by Stripe's API."""

from __future__ import annotations

from stripe.params import (
    AccountCreateExternalAccountParams,
    AccountDeleteExternalAccountParams,
    AccountExternalAccountListParams,
    AccountExternalAccountRetrieveParams,
)

from devstack.stripe.accounts import changed, live_account
from devstack.stripe.answers import page
from devstack.stripe.banks import add_bank, banks_of
from devstack.stripe.errors import Obj, refuse
from devstack.stripe.events import emit
from devstack.stripe.routes import route
from devstack.stripe.world import Scope


@route("POST", "/v1/accounts/{id}/external_accounts", AccountCreateExternalAccountParams)
def create_external_account(scope: Scope, params: Obj, account_id: str) -> Obj:
    account = live_account(scope, account_id)
    own = scope.world.scope(account_id)
    bank = add_bank(own, params["external_account"], metadata=params.get("metadata"))
    if params.get("default_for_currency"):
        for other in banks_of(own):
            if other["currency"] == bank["currency"]:
                other["default_for_currency"] = other["id"] == bank["id"]
                own.save(other)
    changed(scope, account)
    return bank


@route("GET", "/v1/accounts/{id}/external_accounts", AccountExternalAccountListParams)
def list_external_accounts(scope: Scope, params: Obj, account_id: str) -> Obj:
    scope.platform.get("account", account_id)
    rows = banks_of(scope.world.scope(account_id))
    url = f"/v1/accounts/{account_id}/external_accounts"
    return page(rows, params, url, filters=("object",))


@route("GET", "/v1/accounts/{account}/external_accounts/{id}", AccountExternalAccountRetrieveParams)
def retrieve_external_account(scope: Scope, _params: Obj, account_id: str, bank_id: str) -> Obj:
    return scope.world.scope(account_id).get("bank_account", bank_id)


@route(
    "DELETE", "/v1/accounts/{account}/external_accounts/{id}", AccountDeleteExternalAccountParams
)
def delete_external_account(scope: Scope, _params: Obj, account_id: str, bank_id: str) -> Obj:
    account = live_account(scope, account_id)
    own = scope.world.scope(account_id)
    bank = own.get("bank_account", bank_id)
    if bank["default_for_currency"] and len(banks_of(own)) > 1:
        refuse("You cannot delete the default external account for a currency.")
    scope.world.store.drop(account_id, "bank_account", bank_id)
    emit(own, "account.external_account.deleted", bank)
    changed(scope, account)
    return {"id": bank_id, "object": "bank_account", "deleted": True}
