"""Connect accounts: what they must tell, what they may do, and how that changes.

Stripe's rule: an account may take transfers and payouts once nothing is past due; what becomes due
later has a deadline first. See "Handle verification with the API" in its documentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stripe.params import (
    AccountCapabilityListParams,
    AccountCapabilityRetrieveParams,
    AccountCapabilityUpdateParams,
    AccountCreateLoginLinkParams,
    AccountCreateParams,
    AccountDeleteParams,
    AccountListParams,
    AccountRejectParams,
    AccountRetrieveParams,
    AccountUpdateParams,
)

from devstack.stripe.account_shapes import FIELDS, capability, currency_of, new_account
from devstack.stripe.answers import listed, page
from devstack.stripe.balance import sums
from devstack.stripe.banks import add_bank, banks_of
from devstack.stripe.errors import Obj, missing, refuse
from devstack.stripe.events import emit
from devstack.stripe.routes import route
from devstack.stripe.world import DAY, Scope, job, merged_metadata, updated

_MERGED = ("business_profile", "company", "individual", "tos_acceptance", "settings")
_PLAIN = ("business_type", "default_currency", "email")


def live_account(scope: Scope, account_id: str, *, param: str | None = None) -> Obj:
    """A connected account that has not been deleted.

    Raises:
        Refused: `resource_missing`.
    """
    account = scope.platform.get("account", account_id, param=param)
    if account.get("deleted"):
        raise missing("account", account_id, param=param or "id", status=400 if param else 404)
    return account


def can_receive(account: Obj) -> bool:
    """Whether transfers to it are allowed."""
    return bool(account["capabilities"].get("transfers") == "active")


@route("POST", "/v1/accounts", AccountCreateParams)
def create_account(scope: Scope, params: Obj) -> Obj:
    account = new_account(scope, params)
    _take_over(account, params)
    scope.save(account)
    account_scope = scope.world.scope(account["id"])
    _request(account, params.get("capabilities") or {})
    if "external_account" in params:
        add_bank(account_scope, params["external_account"])
    _settle(scope, account)
    emit(account_scope, "account.updated", account, previous={})
    account_scope.schedule("account.daily", account["id"], after=DAY)
    return account


@route("POST", "/v1/accounts/{id}", AccountUpdateParams)
def update_account(scope: Scope, params: Obj, account_id: str) -> Obj:
    account = live_account(scope, account_id)
    if account["controller"]["requirement_collection"] == "stripe":
        for name in ("individual", "company", "tos_acceptance"):
            if name in params and account["details_submitted"]:
                refuse(
                    f"You cannot change `{name}` of an account that has onboarded with Stripe.",
                    param=name,
                )
    _take_over(account, params)
    _request(account, params.get("capabilities") or {})
    if "external_account" in params:
        add_bank(scope.world.scope(account_id), params["external_account"], only=True)
    return changed(scope, account)


def _take_over(account: Obj, params: Mapping[str, Any]) -> None:
    for name in _PLAIN:
        if name in params:
            account[name] = params[name] or None
    for name in _MERGED:
        if name in params:
            account[name] = _merged(account.get(name) or {}, params[name])
    if "metadata" in params:
        account["metadata"] = merged_metadata(account, params["metadata"])


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(old)
    for name, value in new.items():
        inner = result.get(name)
        if isinstance(value, Mapping) and isinstance(inner, Mapping):
            result[name] = _merged(inner, value)
        else:
            result[name] = None if value == "" else value
    return result


def _request(account: Obj, capabilities: Mapping[str, Any]) -> None:
    for name, given in capabilities.items():
        if given.get("requested"):
            account["_requested"] = sorted({*account["_requested"], name})
        elif given.get("requested") is False:
            account["_requested"] = [known for known in account["_requested"] if known != name]


# --- what it may do ----------------------------------------------------------------------


def _due(scope: Scope, account: Obj) -> list[str]:
    """What the account still has to tell, by Stripe's names."""
    due = []
    for name in FIELDS:
        value: Any = account
        for step in name.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        if name == "external_account":
            banks = banks_of(scope.world.scope(account["id"]))
            value = any(bank["status"] != "errored" for bank in banks)
        if not value:
            due.append(name)
    return due


def _settle(scope: Scope, account: Obj) -> None:
    """Work out from what is known of the account what it may do."""
    first = _due(scope, account)
    late = [name for name in account["_asked"] if account["_deadline"] <= scope.now]
    past_due = sorted({*first, *late})
    disabled = account["_disabled"]
    reason = disabled or ("requirements.past_due" if past_due else None)
    if reason is None and account["_verifying"]:
        reason = "requirements.pending_verification"
    status = "inactive" if disabled or past_due else "pending" if reason else "active"
    account["capabilities"] = dict.fromkeys(account["_requested"], status)
    account["charges_enabled"] = status == "active" and bool(account["_requested"])
    account["payouts_enabled"] = status == "active"
    due = sorted({*first, *account["_asked"]})
    account["requirements"] = {
        "alternatives": [],
        "current_deadline": account["_deadline"] if account["_asked"] else None,
        "currently_due": due,
        "disabled_reason": reason,
        "errors": [],
        "eventually_due": due,
        "past_due": past_due,
        "pending_verification": ["individual.verification.document"]
        if account["_verifying"]
        else [],
    }
    banks = banks_of(scope.world.scope(account["id"]))
    account["external_accounts"] = listed(
        list(reversed(banks)), f"/v1/accounts/{account['id']}/external_accounts"
    )
    scope.platform.save(account)


_WATCHED = (
    "capabilities",
    "charges_enabled",
    "payouts_enabled",
    "details_submitted",
    "requirements",
    "external_accounts",
)


def changed(scope: Scope, account: Obj) -> Obj:
    """Work out what a change brings, and tell of it."""
    before = {name: account[name] for name in _WATCHED}
    _settle(scope, account)
    after = {name: account[name] for name in _WATCHED}
    account |= before
    previous = updated(account, after)
    scope.platform.save(account)
    own = scope.world.scope(account["id"])
    for name, status in account["capabilities"].items():
        if (previous.get("capabilities") or before["capabilities"]).get(name) != status:
            emit(own, "capability.updated", capability(account, name))
    emit(own, "account.updated", account, previous=previous)
    return account


def onboard(
    scope: Scope, account_id: str, *, bank: str = "000123456789", verifying: bool = False
) -> Obj:
    """The creator has filled in Stripe's form, with this bank account.

    Args:
        verifying: Stripe still looks at it; `verified` ends that.
    """
    account = live_account(scope, account_id)
    person = {
        "first_name": "Jenny",
        "last_name": "Rosen",
        "dob": {"day": 1, "month": 1, "year": 1990},
    }
    profile = {"mcc": "5815", "url": "https://creator.example"}
    account["business_type"] = account["business_type"] or "individual"
    account["individual"] = {**person, **(account["individual"] or {})}
    account["business_profile"] = _merged(profile, _given(account["business_profile"]))
    account["tos_acceptance"] = {"date": scope.now, "ip": "127.0.0.1", "user_agent": None}
    account["details_submitted"] = True
    account["_verifying"] = verifying
    account["_asked"] = []
    own = scope.world.scope(account_id)
    if not any(row["_number"] == bank for row in banks_of(own)):
        add_bank(own, _bank_params(account, bank), only=True)
    return changed(scope, account)


def _given(values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (values or {}).items() if value is not None}


def _bank_params(account: Obj, number: str) -> Obj:
    routing = {"routing_number": "110000000"} if account["country"] == "US" else {}
    return {
        "object": "bank_account",
        "account_number": number,
        "country": account["country"],
        "currency": account["default_currency"] or currency_of(account["country"]),
        **routing,
    }


def verified(scope: Scope, account_id: str) -> Obj:
    """Stripe has finished looking at what the creator told."""
    account = live_account(scope, account_id)
    account["_verifying"] = False
    return changed(scope, account)


def ask(scope: Scope, account_id: str, fields: Sequence[str], *, within_seconds: int = 0) -> Obj:
    """More is required of the account; it is disabled when that is not told in time."""
    account = live_account(scope, account_id)
    account["_asked"] = sorted({*account["_asked"], *fields})
    account["_deadline"] = scope.now + within_seconds
    scope.world.scope(account_id).schedule("account.deadline", account_id, after=within_seconds)
    return changed(scope, account)


@job("account.deadline")
def _deadline(scope: Scope, account_id: str) -> None:
    account = scope.platform.get("account", account_id)
    if account["_asked"] and not account.get("deleted"):
        changed(scope, account)


def disable(scope: Scope, account_id: str, reason: str | None) -> Obj:
    """Stripe stops the account for `reason` ("rejected.fraud", "under_review"); None: no more."""
    account = live_account(scope, account_id)
    account["_disabled"] = reason
    return changed(scope, account)


# --- routes ------------------------------------------------------------------------------


@route("GET", "/v1/accounts/{id}", AccountRetrieveParams)
def retrieve_account(scope: Scope, _params: Obj, account_id: str) -> Obj:
    return live_account(scope, account_id)


@route("GET", "/v1/accounts", AccountListParams)
def list_accounts(scope: Scope, params: Obj) -> Obj:
    rows = [row for row in scope.platform.all("account") if not row.get("deleted")]
    return page(rows, params, "/v1/accounts")


@route("DELETE", "/v1/accounts/{id}", AccountDeleteParams)
def delete_account(scope: Scope, _params: Obj, account_id: str) -> Obj:
    account = live_account(scope, account_id)
    available, pending = sums(scope.world.scope(account_id))
    if any(available.values()) or any(pending.values()):
        refuse("This account can't be deleted: its balance is not zero.")
    account["deleted"] = True
    scope.platform.save(account)
    return {"id": account_id, "object": "account", "deleted": True}


@route("POST", "/v1/accounts/{id}/reject", AccountRejectParams)
def reject_account(scope: Scope, params: Obj, account_id: str) -> Obj:
    reasons = {"fraud": "rejected.fraud", "terms_of_service": "rejected.terms_of_service"}
    return disable(scope, account_id, reasons.get(params["reason"], "rejected.other"))


@route("POST", "/v1/accounts/{id}/login_links", AccountCreateLoginLinkParams)
def create_login_link(scope: Scope, _params: Obj, account_id: str) -> Obj:
    account = live_account(scope, account_id)
    if account["controller"]["stripe_dashboard"]["type"] != "express":
        refuse("Login links are for accounts with the Express Dashboard only.")
    if not account["details_submitted"]:
        refuse("Cannot create a login link for an account that has not completed onboarding.")
    url = f"{scope.config.base_url}/_pages/express/{account_id}"
    return {"object": "login_link", "created": scope.now, "url": url}


@route("GET", "/v1/accounts/{id}/capabilities", AccountCapabilityListParams)
def list_capabilities(scope: Scope, _params: Obj, account_id: str) -> Obj:
    account = live_account(scope, account_id)
    rows = [capability(account, name) for name in account["_requested"]]
    return listed(rows, f"/v1/accounts/{account_id}/capabilities")


@route("GET", "/v1/accounts/{id}/capabilities/{name}", AccountCapabilityRetrieveParams)
def retrieve_capability(scope: Scope, _params: Obj, account_id: str, name: str) -> Obj:
    return capability(live_account(scope, account_id), name)


@route("POST", "/v1/accounts/{id}/capabilities/{name}", AccountCapabilityUpdateParams)
def update_capability(scope: Scope, params: Obj, account_id: str, name: str) -> Obj:
    account = live_account(scope, account_id)
    _request(account, {name: params})
    changed(scope, account)
    return capability(account, name)
