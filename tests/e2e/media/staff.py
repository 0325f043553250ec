"""Somebody who looks after runs: finds them by search attribute, reads details, decides."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client

from domain.ids import ingest_workflow_id
from tests.e2e.media.platform import Platform
from workflows.attention import OperatorChoice

WAIT_SECONDS = 90
"""The longest that a budget of retries takes, with room for a busy machine."""
SETTLE_SECONDS = 20
"""Visibility is written after the run itself."""


@dataclass(frozen=True)
class Operator:
    """`run_of` names the run of a media that is looked after: ingest, or its deletion."""

    platform: Platform
    run_of: Callable[[str], str] = ingest_workflow_id

    def finds(self, media_id: str) -> bool:
        """Whether the query for runs that need attention finds the media's run.

        Asked until it answers the same as the run itself does, for a while at most.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        expected = bool(self.waiting_steps(media_id))
        while True:
            found = self.platform.ask(lambda client: self._found(client, media_id))
            if found is expected or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    def waiting_steps(self, media_id: str) -> list[str]:
        async def asked(client: Client) -> list[str]:
            handle = client.get_workflow_handle(self.run_of(media_id))
            steps: list[str] = await handle.query("waiting_steps")
            return steps

        return self.platform.ask(asked)

    def until_waiting(self, media_id: str, *, steps: int = 1) -> None:
        """Wait until so many steps of the run wait for a decision."""
        deadline = time.monotonic() + WAIT_SECONDS
        while len(self.waiting_steps(media_id)) < steps:
            assert time.monotonic() < deadline, self.platform.row(media_id).progress_note
            time.sleep(0.2)

    def details(self, media_id: str) -> str:
        """The run's current details, as the UI shows them."""

        async def asked(client: Client) -> str:
            handle = client.get_workflow_handle(self.run_of(media_id))
            metadata: WorkflowMetadata = await handle.query(
                "__temporal_workflow_metadata", result_type=WorkflowMetadata
            )
            return metadata.current_details

        return self.platform.ask(asked)

    def decide(self, media_id: str, choice: str, *, step: str, operator: str) -> str:
        """Send `retry_step` or `skip_step`; what the run answers.

        Raises:
            WorkflowUpdateFailedError: the run refused.
        """

        async def asked(client: Client) -> str:
            handle = client.get_workflow_handle(self.run_of(media_id))
            said: str = await handle.execute_update(
                choice, OperatorChoice(step, operator), rpc_timeout=timedelta(seconds=30)
            )
            return said

        return self.platform.ask(asked)

    async def _found(self, client: Client, media_id: str) -> bool:
        query = f"NeedsAttention = true AND MediaId = '{media_id}'"
        return [run.id async for run in client.list_workflows(query)] == [self.run_of(media_id)]
