"""What is asked of a run that nobody carries out."""

from __future__ import annotations

import asyncio
import gc
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowUpdateRPCTimeoutOrCancelledError

from workflows.payment_methods.messages import CardSetupOrder
from workflows.payment_methods.start import set_up_now


async def test_a_wait_that_is_given_up_leaves_no_error_that_nobody_saw(
    workflow_client: Client,
) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    with pytest.raises(WorkflowUpdateRPCTimeoutOrCancelledError):
        await set_up_now(
            workflow_client,
            CardSetupOrder(str(uuid4()), str(uuid4()), datetime.now(UTC)),
            queue_prefix=f"t{uuid4().hex[:8]}-",
            patience=timedelta(seconds=0.3),
        )
    gc.collect()
    await asyncio.sleep(0)
    assert told == []
