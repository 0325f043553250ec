"""Telling the owner of an event. Called by the API and by the sweep; never by a workflow."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from domain.stripe_events import EventFacts, Owner, OwnerKind
from workflows.disputes.start import follow_dispute
from workflows.payouts.start import watch_account
from workflows.refunds.start import tend_refund

SIGNAL = "stripe_changed"
"""What every owner takes: the type of the event, and the id of the object."""


class Begin(Protocol):
    """Starts the run of a subject with an event to look at, or signals the one that is there."""

    def __call__(
        self,
        client: Client,
        subject_id: str,
        /,
        *,
        queue_prefix: str,
        event_type: str,
        object_id: str,
    ) -> Awaitable[str]: ...


BEGUN_BY_EVENTS: dict[OwnerKind, Begin] = {
    OwnerKind.DISPUTE: follow_dispute,
    OwnerKind.CONNECT: watch_account,
}
"""Whose run any event begins where there is none."""

BEGUN_BY_NEWS: dict[OwnerKind, Begin] = {OwnerKind.REFUND: tend_refund}
"""Whose run is begun again by what our row does not know yet."""


async def tell_owner(client: Client, owner: Owner, event: EventFacts, *, queue_prefix: str) -> bool:
    """Signal the run of an owner, or begin it where events begin such runs.

    Returns False where it does not run: whether there is any news in the event has then to be
    looked up in our rows.
    """
    begin = BEGUN_BY_EVENTS.get(owner.kind)
    if begin is not None:
        await _begin(begin, client, owner, event, queue_prefix)
        return True
    try:
        await client.get_workflow_handle(owner.workflow_id).signal(
            SIGNAL, args=[event.type, event.object_id]
        )
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def begin_for_news(
    client: Client, owner: Owner, event: EventFacts, *, queue_prefix: str
) -> bool:
    """Begin the run of an owner that is over and has missed something; False where runs of its
    kind can't be begun again."""
    begin = BEGUN_BY_NEWS.get(owner.kind)
    if begin is None:
        return False
    await _begin(begin, client, owner, event, queue_prefix)
    return True


async def _begin(
    begin: Begin, client: Client, owner: Owner, event: EventFacts, queue_prefix: str
) -> None:
    await begin(
        client,
        owner.subject_id,
        queue_prefix=queue_prefix,
        event_type=event.type,
        object_id=event.object_id,
    )
