"""Scenes of money that goes back: a refund, and a dispute that is lost."""

from __future__ import annotations

import time

from devstack.client import ApiClient, JsonObject
from devstack.demo.buying import POST_MINOR, add_card, admin_of, money, unlock, until, until_open
from devstack.demo.scenes import Stage, expect
from infra.ids import new_id


async def refund(stage: Stage) -> str:
    """Staff give Sam his money back: the picture shuts, and Mia owes what she was paid for it."""
    async with (
        stage.client(stage.sam) as sam,
        stage.client(stage.mia) as mia,
        stage.client(await admin_of(stage)) as ada,
    ):
        payments = await sam.call("GET", "/me/payments")
        [charge] = [
            each for each in payments["data"] if each["kind"] == "unlock" and each["paid_at"]
        ]
        begun = time.monotonic()
        why = {"reason": "goodwill", "note": "He bought it by mistake."}
        path = f"/admin/charges/{charge['id']}/refunds"
        made = await ada.call("POST", path, why, key=new_id())
        expect(made["amount_minor"] == POST_MINOR, f"{made['amount_minor']} go back")
        await until_open(sam, stage.posts["picture"], opened=False)
        seconds = time.monotonic() - begun
        owed_minor = await _owed_minor(mia)
        expect(owed_minor > 0, "Mia was paid out for it and owes nothing")
    return (
        f"{money(POST_MINOR)} go back to Sam, and the picture is shut {seconds * 1000:.0f} ms "
        f"after the request. Mia owes {money(owed_minor)}, which her next earnings pay"
    )


async def dispute(stage: Stage) -> str:
    """Sam buys again with a card whose holder disputes it; staff give in, and it is lost."""
    async with (
        stage.client(stage.sam) as sam,
        stage.client(stage.mia) as mia,
        stage.client(await admin_of(stage)) as ada,
    ):
        card_id = await add_card(stage, sam, "pm_card_createDispute")
        bought = await unlock(sam, stage.posts["picture"], card_id=card_id)
        expect(bought["state"] == "unlocked", f"the purchase is {bought['state']}")
        found = await _until_disputed(ada, stage)
        shown = await ada.call("GET", f"/admin/disputes/{found['id']}")
        expect(bool(shown["evidence"]), "no evidence was put together")
        begun = time.monotonic()
        await ada.call("POST", f"/admin/disputes/{found['id']}/accept", {"note": "His card."})
        await until(
            lambda: ada.call("GET", f"/admin/disputes/{found['id']}"),
            lambda seen: bool(seen["state"] == "lost"),
            otherwise="the dispute is not lost, though it was accepted",
        )
        await until_open(sam, stage.posts["picture"], opened=False)
        seconds = time.monotonic() - begun
        owed_minor = await _owed_minor(mia)
    return (
        f"The bank took back {money(found['amount_minor'])} and a fee of "
        f"{money(found['fee_minor'])}. Staff saw the evidence and gave in: the dispute is lost, "
        f"and the picture shut {seconds * 1000:.0f} ms later. Mia owes {money(owed_minor)}"
    )


async def _until_disputed(ada: ApiClient, stage: Stage) -> JsonObject:
    """Stripe tells of it; what it took is known a moment later."""

    def mine(answer: JsonObject) -> list[JsonObject]:
        return [
            each
            for each in answer["data"]
            if each["fan_id"] == stage.sam.id and each["fee_minor"] > 0
        ]

    answer = await until(
        lambda: ada.call("GET", "/admin/disputes"),
        lambda seen: bool(mine(seen)),
        otherwise="nobody hears of the dispute",
    )
    return mine(answer)[0]


async def _owed_minor(mia: ApiClient) -> int:
    [balance] = (await mia.call("GET", "/me/balance"))["data"]
    return abs(int(balance["debt_minor"]))
