"""Creators who are paid out."""

from __future__ import annotations

from chaos.families.selling import block_payouts, earn, open_account, seller
from chaos.work import Family
from devstack.people import Person
from domain.ids import PAYOUT_BATCH, connect_workflow_id, payout_workflow_id
from infra.ids import new_id

ON_ITS_WAY = ("in_transit", "paid")
"""Banks take days; the run's end is looked at once for all rounds."""


class Payouts(Family):
    name = "payouts"
    workflows = ("Payout",)

    async def prepare(self) -> None:
        self._creator = await earn(self.round, "paid-out")

    async def begin(self) -> None:
        await block_payouts(self.round, self._creator, None)
        async with self.stage.asking(self._creator) as ask:
            made = await ask("POST", "/me/payouts", {"currency": "USD"}, key=new_id())
        path = f"/me/payouts/{made['id']}"
        self.acknowledge(
            f"payout {made['id']}",
            payout_workflow_id(made["id"]),
            lambda: self.seen(self._creator, path, "state"),
            *ON_ITS_WAY,
        )


class Batches(Family):
    """The weekly round, begun by hand as its runbook says."""

    name = "batches"
    workflows = ("PayoutBatch",)

    async def prepare(self) -> None:
        self._creator: Person = await earn(self.round, "of-a-batch")

    async def begin(self) -> None:
        if "payouts" in self.round.families:
            # Or the batch is first, and nothing is left to ask for.
            await self.round.event("payouts").wait()
        await block_payouts(self.round, self._creator, None)
        await self.stage.trigger_schedule(PAYOUT_BATCH)
        self.acknowledge("the batch", PAYOUT_BATCH, self._look, *ON_ITS_WAY)

    async def _look(self) -> str:
        async with self.stage.asking(self._creator) as ask:
            found = await ask.client.call("GET", "/me/payouts")
        return ", ".join(each["state"] for each in found["data"]) or "no payout"


class Accounts(Family):
    name = "payout-accounts"
    workflows = ("Onboard",)

    async def prepare(self) -> None:
        self._creator = await seller(self.round, "onboards")

    async def begin(self) -> None:
        await open_account(self.round, self._creator, finished=False)
        self.acknowledge(
            f"account of {self._creator.handle}",
            connect_workflow_id(self._creator.id),
            lambda: self.seen(self._creator, "/me/payout-account", "payouts_enabled"),
            "True",
        )
