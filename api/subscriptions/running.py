"""Speaking with a subscription's run, and answering from its row."""

from __future__ import annotations

from api.auth.callers import SignedIn
from api.parts import Parts
from api.subscriptions import schemas
from api.subscriptions.views import subscription_body
from domain.errors import Conflict, Invalid, NotFound, Unavailable
from infra.db import async_transaction
from infra.models import Subscription
from infra.queries.callers import load_caller
from infra.queries.payment_methods.declines import refuse_too_many_declines
from infra.queries.subscriptions.listing import own_subscription
from workflows.subscriptions.messages import (
    Cancel,
    ConsentToPrice,
    Pause,
    Refusal,
    SubscriptionOrder,
)
from workflows.subscriptions.start import Wish, begin_now, change_now, confirm_now

_TAKE_NOTHING = (Cancel, Pause, ConsentToPrice)
"""Wishes of which no payment follows at once. All others let a fan try a card."""


async def read_own(
    parts: Parts, caller: SignedIn, subscription_id: str
) -> schemas.SubscriptionBody:
    """The caller's subscription as it stands.

    Raises:
        NotFound: `subscription_not_found`.
    """
    async with async_transaction(parts.engine) as session:
        fan = await load_caller(session, caller.caller)
        own = await own_subscription(session, fan_id=fan.id, subscription_id=subscription_id)
    return subscription_body(own)


async def hear_beginning(parts: Parts, row: Subscription) -> None:
    """Start the run of a committed row, and wait a moment for its first payment. The row says
    what came of it; where nothing was heard, it goes on by itself."""
    begun = begin_now(
        parts.temporal,
        SubscriptionOrder(row.id, row.creator_id),
        queue_prefix=parts.settings.task_queue_prefix,
        patience=parts.starter.patience,
    )
    await parts.starter.hear(begun, what="subscription", subscription_id=row.id)


async def hear_confirmation(parts: Parts, body: schemas.SubscriptionBody) -> None:
    """Have the run look at once, since the fan says that they have confirmed."""
    looked = confirm_now(
        parts.temporal,
        SubscriptionOrder(body.id, body.creator_id),
        queue_prefix=parts.settings.task_queue_prefix,
        patience=parts.starter.patience,
    )
    await parts.starter.hear(looked, what="confirmation", subscription_id=body.id)


async def change(
    parts: Parts, caller: SignedIn, subscription_id: str, wish: Wish
) -> schemas.SubscriptionBody:
    """Have a wish of the caller's fulfilled, and answer how the subscription stands then.

    Raises:
        NotFound: `subscription_not_found`.
        Conflict, Invalid: why not; see `infra/queries/subscriptions/changing.py`.
        RateLimited: `declines`; too many were declined today for another try to pay.
        Unavailable: `change_not_heard`; whether it was written down is not known yet.
    """
    body = await read_own(parts, caller, subscription_id)
    if not isinstance(wish, _TAKE_NOTHING):
        async with async_transaction(parts.engine) as session:
            await refuse_too_many_declines(session, fan_id=caller.user_id, at=parts.now())
    if body.state.is_final:
        raise Conflict("This subscription is over.", code="subscription_ended", state=body.state)
    asked = change_now(
        parts.temporal,
        SubscriptionOrder(body.id, body.creator_id),
        wish,
        queue_prefix=parts.settings.task_queue_prefix,
        patience=parts.starter.patience,
    )
    result = await parts.starter.hear(asked, what="change", subscription_id=body.id)
    if result is None:
        raise Unavailable(
            "This takes longer than usual. Look at the subscription in a moment: it says whether "
            "the change was made.",
            code="change_not_heard",
        )
    if result.refusal is not None:
        _refuse(result.refusal)
    return await read_own(parts, caller, subscription_id)


def _refuse(refusal: Refusal) -> None:
    kinds: dict[str, type[Conflict | Invalid | NotFound]] = {
        "Invalid": Invalid,
        "NotFound": NotFound,
    }
    raise kinds.get(refusal.kind, Conflict)(refusal.message, code=refusal.code)
