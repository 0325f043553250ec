"""What Temporal recorded of a media's encodes: on which worker, when, from where on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from temporalio.client import Client, WorkflowHandle

from domain.ids import ingest_workflow_id
from workflows.media.messages import EncodedVideo

ENCODE = "encode_video"


@dataclass(frozen=True)
class Encoded:
    """One pass over one chunk, by the attempt that completed."""

    result: EncodedVideo
    worker: str
    attempt: int
    failure_before: str
    """Why the attempt before ended; empty where there was none."""
    scheduled_at: datetime
    started_at: datetime
    ended_at: datetime

    def overlaps(self, other: Encoded) -> bool:
        return self.started_at < other.ended_at and other.started_at < self.ended_at


async def encodes_of(client: Client, media_id: str) -> list[Encoded]:
    """All encodes of a media's first run, in the order in which they ended."""
    history = await _run_of(client, media_id).fetch_history()
    events = {event.event_id: event for event in history.events}
    found = []
    for event in history.events:
        completed = event.activity_task_completed_event_attributes
        scheduled = events.get(completed.scheduled_event_id)
        if scheduled is None:
            continue
        if scheduled.activity_task_scheduled_event_attributes.activity_type.name != ENCODE:
            continue
        started = events[completed.started_event_id]
        told = started.activity_task_started_event_attributes
        (result,) = await client.data_converter.decode(completed.result.payloads, [EncodedVideo])
        found.append(
            Encoded(
                result=result,
                worker=told.identity,
                attempt=told.attempt,
                failure_before=told.last_failure.WhichOneof("failure_info") or "",
                scheduled_at=scheduled.event_time.ToDatetime(),
                started_at=started.event_time.ToDatetime(),
                ended_at=event.event_time.ToDatetime(),
            )
        )
    return found


async def segments_told(client: Client, media_id: str) -> int:
    """How many segments the running encode has told the server of by its last heartbeat."""
    description = await _run_of(client, media_id).describe()
    for pending in description.raw_description.pending_activities:
        if pending.activity_type.name == ENCODE and pending.heartbeat_details.payloads:
            (told,) = await client.data_converter.decode(pending.heartbeat_details.payloads)
            return min(len(segments) for segments in told["by_rung"].values())
    return 0


def _run_of(client: Client, media_id: str) -> WorkflowHandle[Any, Any]:
    return client.get_workflow_handle(ingest_workflow_id(media_id))
