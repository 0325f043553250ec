"""Every activity there is, on a world's database, Stripe and Temporal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from activities.parts import WorkerParts
from activities.slices import Activity, activities_on_queues
from infra.stripe import StripeGateway
from simulation.money.parts import Parts
from workflows.queues import Queue, queue_name

NONE: Mapping[Queue, Sequence[Activity]] = MappingProxyType({})
ABSENT: Any = None
"""What only media and portraits work with; who tries it here fails."""


def serve(parts: Parts, *, instead: Mapping[Queue, Sequence[Activity]] = NONE) -> None:
    """Offer them to runs; those of `instead` in place of their namesakes."""
    served = activities_on_queues(worker_of(parts))
    parts.temporal.serve(
        {
            queue_name(queue, prefix=parts.queue_prefix): [*activities, *instead.get(queue, ())]
            for queue, activities in served.items()
        }
    )


def worker_of(parts: Parts) -> WorkerParts:
    """What a worker works with."""
    return WorkerParts(
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
