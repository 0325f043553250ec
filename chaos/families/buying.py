"""Fans who pay, and their cards."""

from __future__ import annotations

from chaos.families.selling import (
    buy,
    enter_card,
    fan_with_card,
    post_for_sale,
    seller,
    tier_of,
)
from chaos.work import Family
from domain.ids import (
    card_removal_workflow_id,
    card_setup_workflow_id,
    gift_workflow_id,
    subscription_workflow_id,
    tip_workflow_id,
    unlock_workflow_id,
)
from infra.ids import new_id

TIP_MINOR = 10_00


class Unlocks(Family):
    name = "unlocks"
    workflows = ("UnlockContent",)

    async def prepare(self) -> None:
        self._post = await post_for_sale(self.round, await seller(self.round, "unlocks"))
        self._fan, self._card_id = await fan_with_card(self.round, "unlocker")

    async def begin(self) -> None:
        bought = await buy(self.round, self._fan, self._post, self._card_id, finished=False)
        run_id = unlock_workflow_id(self._fan.id, self._post["id"])
        self.acknowledge(f"unlock {bought['id']}", run_id, self._look, "unlocked and open")

    async def _look(self) -> str:
        path = f"/posts/{self._post['id']}"
        is_open = await self.seen(self._fan, path, "access", "allowed") == "True"
        rows = await self.stage.rows(
            "SELECT state FROM unlocks WHERE fan_id = :fan", fan=self._fan.id
        )
        return f"{', '.join(row[0] for row in rows)} and {'open' if is_open else 'shut'}"


class Tips(Family):
    name = "tips"
    workflows = ("SendTip",)

    async def prepare(self) -> None:
        self._creator = await seller(self.round, "tipped")
        self._fan, self._card_id = await fan_with_card(self.round, "tipper")

    async def begin(self) -> None:
        wish = {"amount_minor": TIP_MINOR, "currency": "USD", "payment_method_id": self._card_id}
        path = f"/creators/{self._creator.id}/tips"
        async with self.stage.asking(self._fan) as ask:
            tip = await ask("POST", path, wish, key=new_id())
        self.acknowledge(
            f"tip {tip['id']}",
            tip_workflow_id(tip["id"]),
            lambda: self.seen(self._fan, f"/tips/{tip['id']}", "state"),
            "sent",
        )


class Cards(Family):
    name = "cards"
    workflows = ("SetUpCard",)

    async def begin(self) -> None:
        fan = await self.round.person("adds-a-card")
        setup = await enter_card(self.round, fan)
        self.acknowledge(
            f"card of setup {setup['id']}",
            card_setup_workflow_id(setup["id"]),
            lambda: self.seen(fan, f"/me/card-setups/{setup['id']}", "state"),
            "succeeded",
        )


class CardRemovals(Family):
    name = "card-removals"
    workflows = ("RemoveCard",)

    async def prepare(self) -> None:
        self._fan, self._card_id = await fan_with_card(self.round, "removes-a-card")

    async def begin(self) -> None:
        async with self.stage.asking(self._fan) as ask:
            await ask("DELETE", f"/me/cards/{self._card_id}", if_done=(404,))
        run_id = card_removal_workflow_id(self._card_id)
        self.acknowledge(f"card {self._card_id}", run_id, self._look, "forgotten")

    async def _look(self) -> str:
        rows = await self.stage.rows(
            "SELECT removed_at, detached_at FROM payment_methods WHERE id = :id", id=self._card_id
        )
        return "forgotten" if all(rows[0]) else f"removed and detached at {rows[0]}"


class Subscriptions(Family):
    name = "subscriptions"
    workflows = ("KeepSubscription",)

    async def prepare(self) -> None:
        self._creator = await seller(self.round, "by-the-month")
        self._tier_id = await tier_of(self.round, self._creator)
        self._fan, self._card_id = await fan_with_card(self.round, "subscriber")

    async def begin(self) -> None:
        wish = {"tier_id": self._tier_id, "payment_method_id": self._card_id}
        path = f"/creators/{self._creator.handle}/subscription"
        async with self.stage.asking(self._fan) as ask:
            made = await ask("POST", path, wish, key=new_id())
        self.acknowledge(
            f"subscription {made['id']}",
            subscription_workflow_id(made["id"]),
            lambda: self.seen(self._fan, f"/me/subscriptions/{made['id']}", "state"),
            "active",
        )


class Gifts(Family):
    name = "gifts"
    workflows = ("GiveGift",)

    async def prepare(self) -> None:
        self._creator = await seller(self.round, "given")
        self._tier_id = await tier_of(self.round, self._creator)
        self._giver, self._card_id = await fan_with_card(self.round, "giver")
        self._friend = await self.round.person("friend")

    async def begin(self) -> None:
        wish = {
            "tier_id": self._tier_id,
            "recipient": self._friend.handle,
            "payment_method_id": self._card_id,
        }
        path = f"/creators/{self._creator.handle}/gifts"
        async with self.stage.asking(self._giver) as ask:
            gift = await ask("POST", path, wish, key=new_id())
        self.acknowledge(
            f"gift {gift['id']}",
            gift_workflow_id(gift["id"]),
            lambda: self.seen(self._giver, f"/gifts/{gift['id']}", "state"),
            "given",
        )
