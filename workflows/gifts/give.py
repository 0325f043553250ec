"""GiveGift: one fan buys another access to one creator, for some months."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.charges.messages import ChargeOrder, ChargeOutcome
    from workflows.charges.paying import PaysOnce
    from workflows.versions import LONG_LIVED


@workflow.defn(versioning_behavior=LONG_LIVED)
class GiveGift(PaysOnce):
    """One run a gift; id from `domain.ids.gift_workflow_id`."""

    @workflow.init
    def __init__(self, order: ChargeOrder) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: ChargeOrder) -> ChargeOutcome:
        return await self.pay_until_over(order)
