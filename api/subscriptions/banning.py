"""Ending the subscriptions of an account that was shut.

Nobody sees anything by them from the moment it is shut on: the access module asks for the account
itself. What is left to do is to end them for good, so that nothing is taken any more.
"""

from __future__ import annotations

from api.parts import Parts
from domain.subscriptions.states import EndReason
from infra.db import async_transaction
from infra.queries.subscriptions.ending import end_all_of
from workflows.subscriptions.messages import SubscriptionOrder
from workflows.subscriptions.start import tend_keeping

AT_ONCE_MAX = 500
"""Of a creator with more subscribers the sweep ends the others."""


async def end_for_ban(parts: Parts, user_id: str) -> None:
    """End them, and tell their runs; for after the answer to whoever shut the account."""
    async with async_transaction(parts.engine) as session:
        ended = await session.run_sync(
            end_all_of, user_id, EndReason.BANNED, at=parts.now(), limit=AT_ONCE_MAX
        )
    for subscription_id, creator_id in ended:
        telling = tend_keeping(
            parts.temporal,
            SubscriptionOrder(subscription_id, creator_id),
            queue_prefix=parts.settings.task_queue_prefix,
            signal="banned",
        )
        await parts.starter.begin(telling, what="ban", subscription_id=subscription_id)
