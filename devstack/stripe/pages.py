"""The pages that people see at Stripe: the bank's challenge, and the creator's form."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

from devstack.stripe.accounts import onboard
from devstack.stripe.errors import Obj, Refused
from devstack.stripe.setup_intents import setup_authenticated
from devstack.stripe.store import PLATFORM
from devstack.stripe.taking import authenticated

if TYPE_CHECKING:
    from devstack.stripe.core import LocalStripe

PREFIX = "/_pages/"


def page_for(local: LocalStripe, method: str, path: str, body: bytes) -> tuple[int, str, str]:
    """(status, where to go on, HTML) of a page; a POST is the press of one of its buttons."""
    kind, _, name = path.removeprefix(PREFIX).partition("/")
    choice = parse_qs(body.decode()).get("choice", [""])[0] if method == "POST" else ""
    try:
        match kind:
            case "authenticate":
                return _authenticate(local, name, choice)
            case "onboarding":
                return _onboarding(local, name, choice)
            case "express":
                return 200, "", _html("Express Dashboard", f"This is the dashboard of {name}.")
    except Refused as refused:
        return 400, "", _html("Stripe", str(refused))
    return 404, "", _html("Stripe", "There is no such page.")


def _authenticate(local: LocalStripe, intent_id: str, choice: str) -> tuple[int, str, str]:
    setup = intent_id.startswith("seti_")
    intent = local.scope().get("setup_intent" if setup else "payment_intent", intent_id)
    if choice not in ("complete", "fail"):
        said = f"Your bank asks whether {intent_id} is yours."
        return 200, "", _html("3-D Secure", said, complete="Complete", fail="Fail")
    back = _return_url(intent)
    passed = choice == "complete"
    if setup:
        setup_authenticated(local.scope(), intent_id, passed=passed)
    else:
        authenticated(local.scope(), intent_id, passed=passed)
    if not back:
        return 200, "", _html("3-D Secure", "Done. You can close this page.")
    name = "setup_intent" if setup else "payment_intent"
    told = {
        name: intent_id,
        f"{name}_client_secret": intent["client_secret"],
        "redirect_status": "succeeded" if passed else "failed",
    }
    joint = "&" if urlsplit(back).query else "?"
    return 303, f"{back}{joint}{urlencode(told)}", ""


def _return_url(intent: Obj) -> str:
    redirect = (intent["next_action"] or {}).get("redirect_to_url") or {}
    return str(redirect.get("return_url") or "")


def _onboarding(local: LocalStripe, ticket: str, choice: str) -> tuple[int, str, str]:
    store = local.scope().world.store
    link = store.get(PLATFORM, "_link", ticket)
    if link is None:
        return 404, "", _html("Stripe", "There is no such link.")
    if choice == "complete":
        onboard(local.scope(), link["account"])
        return 303, link["return_url"], ""
    if choice == "leave":
        return 303, link["return_url"], ""
    if link["opened"] or link["expires_at"] <= local.now:
        return 303, link["refresh_url"], ""
    link["opened"] = True
    store.put(PLATFORM, "_link", ticket, link)
    said = f"Here a creator tells Stripe who they are ({link['account']})."
    return 200, "", _html("Onboarding", said, complete="Complete", leave="Leave for now")


def _html(title: str, said: str, **buttons: str) -> str:
    made = "".join(
        f'<button name="choice" value="{escape(value)}">{escape(label)}</button> '
        for value, label in buttons.items()
    )
    form = f'<form method="post">{made}</form>' if made else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{escape(title)} – local Stripe</title><h1>{escape(title)}</h1>"
        f"<p>{escape(said)}</p>{form}</html>"
    )
