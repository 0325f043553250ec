"""SendTip: one fan gives one creator money."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.charges.messages import ChargeOrder, ChargeOutcome
    from workflows.charges.paying import PaysOnce
    from workflows.versions import LONG_LIVED


@workflow.defn(versioning_behavior=LONG_LIVED)
class SendTip(PaysOnce):
    """One run a tip; id from `domain.ids.tip_workflow_id`."""

    @workflow.init
    def __init__(self, order: ChargeOrder) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: ChargeOrder) -> ChargeOutcome:
        return await self.pay_until_over(order)
