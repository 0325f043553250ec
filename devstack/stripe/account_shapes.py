"""The shapes of a Connect account and of its capabilities."""

from __future__ import annotations

from typing import Any

from devstack.stripe.errors import Obj, refuse
from devstack.stripe.world import Scope, merged_metadata

FIELDS = (
    "business_profile.mcc",
    "business_profile.url",
    "business_type",
    "external_account",
    "individual.dob.day",
    "individual.dob.month",
    "individual.dob.year",
    "individual.first_name",
    "individual.last_name",
    "tos_acceptance.date",
    "tos_acceptance.ip",
)
"""What an individual's account has to tell before it may do anything."""

_CURRENCIES = {"US": "usd", "GB": "gbp", "JP": "jpy", "CA": "cad", "AU": "aud", "CH": "chf"}
_EURO = frozenset("AT BE DE ES FI FR GR IE IT LU NL PT".split())  # noqa: SIM905
_CONTROLLERS = {
    "standard": ("account", "stripe", "full", "stripe"),
    "express": ("application_express", "application", "express", "stripe"),
    "custom": ("application_custom", "application", "none", "application"),
}
"""(who pays the fees, who bears the losses, the dashboard, who collects requirements)."""


def currency_of(country: str) -> str:
    """The currency of a country's bank accounts.

    Raises:
        Refused: 400 `country_unsupported`.
    """
    currency = "eur" if country in _EURO else _CURRENCIES.get(country)
    if currency is None:
        refuse(f"Country '{country}' is unknown.", code="country_unsupported", param="country")
    return currency


def _controller(params: Obj) -> tuple[str, Obj]:
    """The type of the account, and who is responsible for what."""
    given = params.get("controller")
    if given is None:
        kind = params.get("type", "standard")
        fees, losses, dashboard, collects = _CONTROLLERS[kind]
    else:
        if "type" in params:
            refuse("You may not provide both `type` and `controller`.", param="type")
        kind = "none"
        fees = (given.get("fees") or {}).get("payer", "account")
        losses = (given.get("losses") or {}).get("payments", "stripe")
        dashboard = (given.get("stripe_dashboard") or {}).get("type", "full")
        collects = given.get("requirement_collection", "stripe")
    return kind, {
        "fees": {"payer": fees},
        "is_controller": True,
        "losses": {"payments": losses},
        "requirement_collection": collects,
        "stripe_dashboard": {"type": dashboard},
        "type": "application",
    }


def new_account(scope: Scope, params: Obj) -> Obj:
    """An account that has told nothing yet."""
    country = params.get("country", "US")
    currency = params.get("default_currency") or currency_of(country)
    kind, controller = _controller(params)
    settings: dict[str, Any] = {
        "bacs_debit_payments": {},
        "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
        "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
        "card_payments": {"statement_descriptor_prefix": None},
        "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
        "invoices": {"default_account_tax_ids": None},
        "payments": {"statement_descriptor": None},
        "payouts": {
            "debit_negative_balances": False,
            "schedule": {"delay_days": 2, "interval": "daily"},
            "statement_descriptor": None,
        },
        "sepa_debit_payments": {},
    }
    return {
        "id": scope.new_id("acct"),
        "object": "account",
        "business_profile": {
            "mcc": None,
            "name": None,
            "product_description": None,
            "support_email": None,
            "url": None,
        },
        "business_type": None,
        "capabilities": {},
        "charges_enabled": False,
        "controller": controller,
        "country": country,
        "created": scope.now,
        "default_currency": currency,
        "details_submitted": False,
        "email": None,
        "external_accounts": None,
        "future_requirements": {"alternatives": [], "currently_due": [], "past_due": []},
        "individual": None,
        "metadata": merged_metadata({}, params.get("metadata")),
        "payouts_enabled": False,
        "requirements": None,
        "settings": settings,
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": kind,
        "_requested": [],
        "_asked": [],
        "_deadline": 0,
        "_disabled": None,
        "_verifying": False,
    }


def capability(account: Obj, name: str) -> Obj:
    """One capability of an account."""
    requirements = account["requirements"]
    return {
        "id": name,
        "object": "capability",
        "account": account["id"],
        "future_requirements": account["future_requirements"],
        "requested": name in account["_requested"],
        "requested_at": account["created"] if name in account["_requested"] else None,
        "requirements": requirements,
        "status": account["capabilities"].get(name, "unrequested"),
    }
