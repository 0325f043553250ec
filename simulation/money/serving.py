"""Every activity there is, on a world's database, Stripe and Temporal."""

from __future__ import annotations

from typing import Any

from activities.parts import WorkerParts
from activities.slices import activities_on_queues
from infra.stripe import StripeGateway
from simulation.money.parts import Parts
from workflows.queues import queue_name

ABSENT: Any = None
"""What only media and portraits work with; who tries it here fails."""


def serve(parts: Parts) -> None:
    worker = WorkerParts(
        settings=parts.settings,
        engine=parts.engine,
        storage=ABSENT,
        valkey=ABSENT,
        antivirus=ABSENT,
        cdn=ABSENT,
        judge=ABSENT,
        keys=ABSENT,
        scratch=ABSENT,
        gateway=StripeGateway(parts.settings, parts.engine, http_client=parts.way),
        zygote=ABSENT,
        temporal=parts.temporal.client,
    )
    parts.temporal.serve(
        {
            queue_name(queue, prefix=parts.queue_prefix): activities
            for queue, activities in activities_on_queues(worker).items()
        }
    )
