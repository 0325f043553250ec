"""Creators who sell, and fans with cards: what families of money begin with."""

from __future__ import annotations

from chaos.work import Round
from devstack.client import JsonObject
from devstack.demo.browser import Browser
from devstack.people import Person
from infra.ids import new_id

PRICE_MINOR = 90_00
MONTH_MINOR = 15_00
READY_SECONDS = 0.1
CARD = "pm_card_visa"
DISPUTED_CARD = "pm_card_createDispute"


async def seller(round_: Round, name: str) -> Person:
    """A creator whose earnings do not wait."""
    creator = await round_.creator(name)
    await block_payouts(round_, creator, None)
    return creator


async def block_payouts(round_: Round, creator: Person, reason: str | None) -> None:
    """None: let a creator be paid out."""
    terms = {"fee_bps": None, "hold_days": 0, "payouts_blocked_reason": reason, "reason": "Known."}
    async with round_.stage.asking(round_.stage.staff) as ask:
        await ask("PUT", f"/admin/creators/{creator.id}/money", terms)


async def post_for_sale(round_: Round, creator: Person) -> JsonObject:
    async with round_.stage.asking(creator) as ask:
        post: JsonObject = await ask(
            "POST",
            "/posts",
            {
                "body": "For sale.",
                "audience": "paid",
                "price_minor": PRICE_MINOR,
                "currency": "USD",
                "state": "published",
            },
        )
    return post


async def tier_of(round_: Round, creator: Person) -> str:
    async with round_.stage.asking(creator) as ask:
        tier = await ask("POST", "/me/tiers", {"name": "Friends", "price_minor": MONTH_MINOR})
    return str(tier["id"])


async def fan_with_card(round_: Round, name: str, card: str = CARD) -> tuple[Person, str]:
    """A fan, and the id of their card."""
    fan = await round_.person(name)
    return fan, await add_card(round_, fan, card)


async def add_card(round_: Round, fan: Person, card: str = CARD) -> str:
    """A card that is kept; its id."""
    setup = await enter_card(round_, fan, card)
    async with round_.stage.asking(fan) as ask:
        kept = await ask.until(f"/me/card-setups/{setup['id']}", "state", "succeeded")
    return str(kept["payment_method_id"])


async def enter_card(round_: Round, fan: Person, card: str = CARD) -> JsonObject:
    """A number goes from the browser to Stripe, word of it to the API; what that answers."""
    stage = round_.stage
    async with stage.asking(fan) as ask:
        setup = await ask("POST", "/me/card-setups")
        if setup["client_secret"] is None:
            path = f"/me/card-setups/{setup['id']}"
            setup = await ask.until_so(path, lambda answer: bool(answer["client_secret"]))
        async with Browser(stage.settings) as browser:
            await browser.enter_card(setup["client_secret"], card)
        told: JsonObject = await ask("POST", f"/me/card-setups/{setup['id']}/confirmed")
    return told


async def buy(
    round_: Round, fan: Person, post: JsonObject, card_id: str, *, finished: bool
) -> JsonObject:
    """An unlock; `finished`: until it is open."""
    wish = {"price_minor": PRICE_MINOR, "currency": "USD", "payment_method_id": card_id}
    async with round_.stage.asking(fan) as ask:
        bought: JsonObject = await ask("POST", f"/posts/{post['id']}/unlock", wish, key=new_id())
        if finished:
            bought = await ask.until(f"/unlocks/{bought['id']}", "state", "unlocked")
    return bought


async def open_account(round_: Round, creator: Person, *, finished: bool) -> None:
    """Who a creator is and where their bank is goes to Stripe alone; `finished`: until it is
    known that they can be paid out."""
    async with round_.stage.asking(creator) as ask:
        account = await ask("POST", "/me/payout-account", {"country": "US"})
        async with Browser(round_.stage.settings) as browser:
            await browser.fill_in_form(account["onboarding_url"])
        if finished:
            await ask.until("/me/payout-account", "payouts_enabled", True)


async def earn(round_: Round, name: str) -> Person:
    """A creator who can be paid out, once that is not blocked any more, and who has something
    available. A batch of the round before may still be under way."""
    creator = await seller(round_, name)
    await block_payouts(round_, creator, "Not yet.")
    await open_account(round_, creator, finished=True)
    fan, card_id = await fan_with_card(round_, f"{name}-fan")
    await buy(round_, fan, await post_for_sale(round_, creator), card_id, finished=True)
    await round_.stage.trigger("payouts")
    async with round_.stage.asking(creator) as ask:
        await ask.until_so("/me/balance", has_available)
    return creator


def has_available(answer: JsonObject) -> bool:
    return any(each["available_minor"] > 0 for each in answer["data"])
