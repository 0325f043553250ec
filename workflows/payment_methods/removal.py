"""RemoveCard: the fan has removed a card, so Stripe forgets it as well."""

from __future__ import annotations

from dataclasses import replace

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import policies
    from workflows.operated import Operated
    from workflows.payment_methods import steps
    from workflows.payment_methods.messages import CardRemovalOrder
    from workflows.performing import perform
    from workflows.queues import Queue
    from workflows.versions import SHORT_LIVED


@workflow.defn(versioning_behavior=SHORT_LIVED)
class RemoveCard(Operated):
    """One run a card; id from `domain.ids.card_removal_workflow_id`."""

    @workflow.init
    def __init__(self, order: CardRemovalOrder) -> None:
        super().__init__("payment_method", order.payment_method_id)

    @workflow.run
    async def run(self, order: CardRemovalOrder) -> None:
        async def attempt() -> None:
            await perform(
                steps.detach_card,
                replace(order, at=workflow.now()),
                queue=Queue.MONEY,
                policy=policies.MONEY,
                summary="Having Stripe forget the card",
            )

        await self.attention.run("detach", attempt)
        await workflow.wait_condition(workflow.all_handlers_finished)
