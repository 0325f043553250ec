"""Money that goes back: refunds and disputes."""

from __future__ import annotations

from chaos.families.selling import (
    DISPUTED_CARD,
    PRICE_MINOR,
    buy,
    fan_with_card,
    post_for_sale,
    seller,
)
from chaos.work import Family
from devstack.client import JsonObject
from domain.ids import dispute_workflow_id, refund_workflow_id
from infra.ids import new_id


class Refunds(Family):
    name = "refunds"
    workflows = ("Refund",)

    async def prepare(self) -> None:
        creator = await seller(self.round, "refunds")
        self._fan, card_id = await fan_with_card(self.round, "refunded")
        post = await post_for_sale(self.round, creator)
        await buy(self.round, self._fan, post, card_id, finished=True)
        async with self.stage.asking(self._fan) as ask:
            payments = await ask("GET", "/me/payments")
        self._charge_id = payments["data"][0]["id"]

    async def begin(self) -> None:
        why = {"reason": "goodwill", "note": "By mistake."}
        path = f"/admin/charges/{self._charge_id}/refunds"
        async with self.stage.asking(self.stage.staff) as ask:
            made = await ask("POST", path, why, key=new_id())
        self.acknowledge(
            f"refund {made['id']}",
            refund_workflow_id(made["id"]),
            lambda: self.seen(self.stage.staff, f"/admin/refunds/{made['id']}", "state"),
            "succeeded",
        )


class Disputes(Family):
    """A card's holder disputes a purchase; staff give in."""

    name = "disputes"
    workflows = ("Dispute",)

    async def prepare(self) -> None:
        creator = await seller(self.round, "disputed")
        self._fan, card_id = await fan_with_card(self.round, "disputer", DISPUTED_CARD)
        post = await post_for_sale(self.round, creator)
        await buy(self.round, self._fan, post, card_id, finished=False)
        async with self.stage.asking(self.stage.staff) as ask:
            answer = await ask.until_so("/admin/disputes", lambda seen: bool(self._mine(seen)))
        self._dispute = self._mine(answer)[0]

    def _mine(self, answer: JsonObject) -> list[JsonObject]:
        return [
            each
            for each in answer["data"]
            if each["fan_id"] == self._fan.id
            and each["fee_minor"] > 0
            and each["amount_minor"] == PRICE_MINOR
        ]

    async def begin(self) -> None:
        path = f"/admin/disputes/{self._dispute['id']}"
        async with self.stage.asking(self.stage.staff) as ask:
            await ask("POST", f"{path}/accept", {"note": "Their card."}, if_done=(409,))
        rows = await self.stage.rows(
            "SELECT stripe_dispute_id FROM disputes WHERE id = :id", id=self._dispute["id"]
        )
        self.acknowledge(
            f"dispute {self._dispute['id']}",
            dispute_workflow_id(str(rows[0][0])),
            lambda: self.seen(self.stage.staff, path, "state"),
            "lost",
        )
