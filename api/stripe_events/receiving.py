"""The endpoints that Stripe delivers its events to.

An event is written down before it is answered, and its owner is told at once. Where that can't
be done the sweep does it: what is written down is never asked of Stripe again.
"""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import APIRouter, Request
from prometheus_client import Counter
from pydantic import BaseModel, SecretStr

from api.parts import ApiParts, Parts
from api.problems import PROBLEMS
from domain.errors import Invalid
from domain.stripe_events import EventState, Owner
from infra.db import async_transaction
from infra.queries.stripe_events import inbox
from infra.stripe.webhooks import verified_event
from workflows.stripe_events.start import tell_owner

log = structlog.get_logger(__name__)

events_total = Counter(
    "fansworld_stripe_events_total", "Deliveries of Stripe's events.", ["outcome"]
)
router = APIRouter(prefix="/webhooks", tags=["webhooks"], responses=PROBLEMS)

_EVENT: dict[str, Any] = {
    "parameters": [
        {
            "name": "Stripe-Signature",
            "in": "header",
            "required": True,
            "description": "`t=SECONDS,v1=HEX`, by a signing secret of this endpoint.",
            "schema": {"type": "string"},
        }
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "example": {"id": "evt_1", "object": "event", "type": "refund.updated"},
            }
        },
    },
}


class ReceiptBody(BaseModel):
    received: bool = True


@router.post("/stripe", operation_id="receiveStripeEvent", openapi_extra=_EVENT)
async def receive(request: Request, parts: ApiParts) -> ReceiptBody:
    """For Stripe: events of the platform's own account. One that comes twice counts once."""
    return await _receive(request, parts, parts.settings.stripe_webhook_secrets)


@router.post("/stripe/connect", operation_id="receiveStripeConnectEvent", openapi_extra=_EVENT)
async def receive_connect(request: Request, parts: ApiParts) -> ReceiptBody:
    """For Stripe: events of connected accounts, by secrets of their own."""
    return await _receive(request, parts, parts.settings.stripe_connect_webhook_secrets)


async def _receive(request: Request, parts: Parts, secrets: tuple[SecretStr, ...]) -> ReceiptBody:
    body = await request.body()
    signature = request.headers.get("stripe-signature")
    try:
        event = verified_event(body, signature, secrets=secrets, at=parts.now())
    except Invalid:
        events_total.labels("refused").inc()
        raise
    async with async_transaction(parts.engine) as session:
        kept = await session.run_sync(inbox.keep, event, at=parts.now())
    outcome = kept.state.value if kept.owner is None else await _tell(parts, kept, kept.owner)
    events_total.labels(outcome).inc()
    log.info("stripe_event", event_id=event.id, type=event.type, outcome=outcome)
    return ReceiptBody()


async def _tell(parts: Parts, kept: inbox.Kept, owner: Owner) -> str:
    """Also of an event that came before: whoever was told then may have died of it. Returns the
    outcome for the metric."""
    was_told = False

    async def tell() -> str:
        nonlocal was_told
        was_told = await tell_owner(
            parts.temporal, owner, kept.facts, queue_prefix=parts.settings.task_queue_prefix
        )
        return owner.workflow_id

    if not await parts.starter.begin(tell(), what="stripe_event", event_id=kept.facts.id):
        return "left"
    async with async_transaction(parts.engine) as session:
        if was_told:
            await session.run_sync(
                inbox.settle, kept.facts.id, EventState.HANDLED, at=parts.now(), owner=owner
            )
            return "told"
        why = await session.run_sync(inbox.settle_untold, kept.facts, owner, at=parts.now())
    return "known" if why is None else "parked"
