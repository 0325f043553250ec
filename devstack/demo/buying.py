"""Scenes of fans who pay: a subscription, a card that is declined, a post, a tip."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from devstack.client import ApiClient, JsonObject
from devstack.demo.browser import Browser
from devstack.demo.scenes import SceneFailed, Stage, expect
from devstack.people import Person, ensure_person
from domain.accounts import Role
from infra.ids import new_id

MONTH_MINOR = 15_00
POST_MINOR = 25_00
TIP_MINOR = 10_00
PATIENCE_SECONDS = 20.0
POLL_SECONDS = 0.05


def money(amount_minor: int) -> str:
    """Of USD, as people read it."""
    return f"{amount_minor / 100:.2f} USD"


async def until(
    ask: Callable[[], Awaitable[JsonObject]],
    fits: Callable[[JsonObject], bool],
    *,
    otherwise: str,
) -> JsonObject:
    """Ask until the answer fits.

    Raises:
        SceneFailed: `otherwise`, where it does not within `PATIENCE_SECONDS`.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not fits(answer := await ask()):
        if time.monotonic() > deadline:
            raise SceneFailed(otherwise)
        await asyncio.sleep(POLL_SECONDS)
    return answer


async def admin_of(stage: Stage) -> Person:
    """Somebody of the staff who may decide about money."""
    return await asyncio.to_thread(ensure_person, stage.settings, "ada-decides", Role.ADMIN)


async def is_open(client: ApiClient, post: JsonObject) -> bool:
    """Whether somebody reads a post now."""
    return bool((await client.call("GET", f"/posts/{post['id']}"))["access"]["allowed"])


async def until_open(client: ApiClient, post: JsonObject, *, opened: bool) -> None:
    """Until the post is open, or no more."""
    await until(
        lambda: client.call("GET", f"/posts/{post['id']}"),
        lambda seen: bool(seen["access"]["allowed"]) is opened,
        otherwise=f"the post is {'still locked' if opened else 'still open'}",
    )


async def open_shop(stage: Stage) -> str:
    """Mia sells a month and a picture; staff agree with her on when she gets her money."""
    async with stage.client(stage.mia) as mia, stage.client(await admin_of(stage)) as ada:
        terms = {"fee_bps": None, "hold_days": 0, "payouts_blocked_reason": None}
        why = {"reason": "Mia is known to us: her earnings need not wait."}
        await ada.call("PUT", f"/admin/creators/{stage.mia.id}/money", {**terms, **why})
        tier = await mia.call("POST", "/me/tiers", {"name": "Friends", "price_minor": MONTH_MINOR})
        stage.tier_id = tier["id"]
        said = {"state": "published", "currency": None}
        stage.posts["letter"] = await mia.call(
            "POST", "/posts", {**said, "body": "For friends.", "audience": "subscribers"}
        )
        for_sale = {"audience": "paid", "price_minor": POST_MINOR, "currency": "USD"}
        media = {"body": "The street.", "media_ids": [stage.media["turned photo"]]}
        stage.posts["picture"] = await mia.call("POST", "/posts", {**said, **for_sale, **media})
    return (
        f"A month costs {money(MONTH_MINOR)}, a picture {money(POST_MINOR)}. "
        "Earnings wait 7 days; staff agreed with Mia that hers do not"
    )


async def add_card(stage: Stage, fan: ApiClient, card: str) -> str:
    """The card's id. Its number goes from the browser to Stripe, and never to the API."""
    setup = await fan.call("POST", "/me/card-setups")
    async with Browser(stage.settings) as browser:
        await browser.enter_card(setup["client_secret"], card)
    kept = await fan.call("POST", f"/me/card-setups/{setup['id']}/confirmed")
    expect(kept["state"] == "succeeded", f"the card was not kept: {kept['state']}")
    return str(kept["payment_method_id"])


async def unlock(
    fan: ApiClient, post: JsonObject, *, card_id: str, price_minor: int = POST_MINOR
) -> JsonObject:
    wish = {"price_minor": price_minor, "currency": "USD", "payment_method_id": card_id}
    bought: JsonObject = await fan.call("POST", f"/posts/{post['id']}/unlock", wish, key=new_id())
    return bought


async def subscribe(stage: Stage) -> str:
    """Tom's bank asks whether it is he; he says so, and the posts are open."""
    async with stage.client(stage.tom) as tom:
        card_id = await add_card(stage, tom, "pm_card_authenticationRequired")
        expect(not await is_open(tom, stage.posts["letter"]), "it is open before it is paid")
        begun = time.monotonic()
        path = f"/creators/{stage.mia.handle}/subscription"
        wish = {"tier_id": stage.tier_id, "payment_method_id": card_id}
        asked = await tom.call("POST", path, wish, key=new_id())
        expect(asked["state"] == "incomplete", f"the bank did not ask: {asked['state']}")
        expect(not await is_open(tom, stage.posts["letter"]), "it is open before the bank agreed")
        async with Browser(stage.settings) as browser:
            await browser.confirm_with_bank(asked["payment"]["client_secret"])
        paid = await tom.call("POST", f"/me/subscriptions/{asked['id']}/confirmed")
        expect(paid["state"] == "active", f"after 3-D Secure it is {paid['state']}")
        await until_open(tom, stage.posts["letter"], opened=True)
        seconds = time.monotonic() - begun
    return (
        f"Tom confirmed {money(MONTH_MINOR)} with his bank (3-D Secure); "
        f"{_ms(seconds)} from the request to the open post"
    )


async def be_declined(stage: Stage) -> str:
    """Sam's card is declined: nothing is taken, nothing opens, and he is told why."""
    async with stage.client(stage.sam) as sam:
        card_id = await add_card(stage, sam, "pm_card_chargeCustomerFail")
        begun = time.monotonic()
        refused = await unlock(sam, stage.posts["picture"], card_id=card_id)
        seconds = time.monotonic() - begun
        expect(refused["state"] == "declined", f"a bad card ends as {refused['state']}")
        expect(not await is_open(sam, stage.posts["picture"]), "a declined card opens the post")
        said = refused["payment"]["decline"]["message"]
    return f"Sam is told: “{said}” Nothing was taken, and the picture stays shut ({_ms(seconds)})"


async def buy_and_tip(stage: Stage) -> str:
    """With another card Sam unlocks the picture, and gives Mia something on top."""
    async with stage.client(stage.sam) as sam:
        card_id = await add_card(stage, sam, "pm_card_visa")
        begun = time.monotonic()
        bought = await unlock(sam, stage.posts["picture"], card_id=card_id)
        expect(bought["state"] == "unlocked", f"the purchase is {bought['state']}")
        await until_open(sam, stage.posts["picture"], opened=True)
        seconds = time.monotonic() - begun
        wish = {
            "amount_minor": TIP_MINOR,
            "currency": "USD",
            "note": "Lovely!",
            "payment_method_id": card_id,
        }
        begun = time.monotonic()
        sent = await sam.call("POST", f"/creators/{stage.mia.id}/tips", wish, key=new_id())
        expect(sent["state"] == "sent", f"the tip is {sent['state']}")
        tip_seconds = time.monotonic() - begun
    return (
        f"{money(POST_MINOR)} are paid, and the picture is open {_ms(seconds)} after the request. "
        f"A tip of {money(TIP_MINOR)} took {_ms(tip_seconds)}"
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
