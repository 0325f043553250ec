"""What fans do, and creators to what they sell, through the functions that the routes call."""

from __future__ import annotations

from devstack.stripe import taking
from domain.posts import PostState
from domain.tips import TipState
from domain.unlocks.terms import terms_for
from infra.db import async_transaction, transaction
from infra.ids import new_id
from infra.models import Post, Tip
from infra.queries.unlocks.buying import Wish, begin_unlock
from simulation.money.cards import card_of
from simulation.money.parts import Parts
from simulation.money.picks import PATIENCE, Picks
from workflows.charges.start import pay_now
from workflows.tips.start import tip_order
from workflows.unlocks.start import unlock_order


async def unlock(parts: Parts, picks: Picks) -> None:
    fan_id = picks.of(parts.cast.fans, "fan")
    post_id, creator_id = picks.of(parts.cast.posts, "thing")
    async with async_transaction(parts.async_engine) as session:
        post = await session.get_one(Post, post_id)
        if post.state != PostState.PUBLISHED:
            return  # The route finds none.
        assert post.price_minor is not None and post.currency is not None
        terms = terms_for(
            list_minor=post.price_minor,
            currency=post.currency,
            discount_bps=0,
        )
        bought = await begin_unlock(
            session,
            Wish(
                fan_id=fan_id,
                creator_id=creator_id,
                post_id=post_id,
                terms=terms,
                payment_method_id=(await card_of(session, fan_id, picks)).id,
                at=parts.now,
            ),
        )
    order = unlock_order(bought, at=parts.now)
    await pay_now(parts.temporal.client, order, queue_prefix=parts.queue_prefix, patience=PATIENCE)


async def tip(parts: Parts, picks: Picks) -> None:
    fan_id = picks.of(parts.cast.fans, "fan")
    async with async_transaction(parts.async_engine) as session:
        given = Tip(
            id=new_id(),
            fan_id=fan_id,
            creator_id=picks.of(parts.cast.creators, "creator"),
            amount_minor=100 + picks.number("choice"),
            currency="USD",
            state=TipState.CHARGING.value,
            payment_method_id=(await card_of(session, fan_id, picks)).id,
            created_at=parts.now,
        )
        session.add(given)
    order = tip_order(given, at=parts.now)
    await pay_now(parts.temporal.client, order, queue_prefix=parts.queue_prefix, patience=PATIENCE)


async def confirm(parts: Parts, picks: Picks) -> None:
    """A fan answers their bank's question, rightly or not."""
    parts.way.keep_time()
    scope = parts.way.stripe.scope()
    asked = [each for each in scope.all("payment_intent") if each["status"] == "requires_action"]
    if asked:
        intent = picks.of(asked, "thing")
        taking.authenticated(scope, intent["id"], passed=picks.number("choice") % 4 != 0)


async def take_down(parts: Parts, picks: Picks) -> None:
    """A creator deletes a post, or brings it back, while somebody may be buying it."""
    post_id, _ = picks.of(parts.cast.posts, "thing")
    with transaction(parts.engine) as session:
        post = session.get_one(Post, post_id, with_for_update=True)
        if post.state == PostState.PUBLISHED and picks.number("choice") % 4 == 0:
            post.state, post.deleted_at = PostState.DELETED.value, parts.now
        elif post.state == PostState.DELETED:
            post.state, post.deleted_at = PostState.PUBLISHED.value, None
