"""What fans do, and creators to what they sell, through the functions that the routes call."""

from __future__ import annotations

from sqlalchemy import select

from devstack.stripe import taking
from domain.messages import MessageState
from domain.posts import PostState
from domain.unlocks.terms import UnlockTerms, terms_for
from infra.db import async_transaction, transaction
from infra.models import Conversation, Message, Post, User
from infra.queries.tips.giving import Gesture, begin_tip, known_tip
from infra.queries.unlocks.buying import Wish, begin_unlock
from simulation.money.cards import card_of
from simulation.money.parts import Parts
from simulation.money.picks import PATIENCE, Picks
from workflows.charges.messages import ChargeOrder
from workflows.charges.start import pay_now
from workflows.tips.start import tip_order
from workflows.unlocks.start import unlock_order


async def unlock(parts: Parts, picks: Picks) -> None:
    """A fan buys a post."""
    fan_id = picks.of(parts.cast.fans, "fan")
    post_id, creator_id = picks.of(parts.cast.posts, "thing")
    async with async_transaction(parts.async_engine) as session:
        post = await session.get_one(Post, post_id)
        if post.state != PostState.PUBLISHED:
            return  # The route finds none.
        wish = Wish(
            fan_id=fan_id,
            creator_id=creator_id,
            post_id=post_id,
            terms=_terms(post),
            payment_method_id=(await card_of(session, fan_id, picks)).id,
            at=parts.now,
        )
        bought = await begin_unlock(session, wish)
    await _pay(parts, unlock_order(bought, at=parts.now))


async def unlock_message(parts: Parts, picks: Picks) -> None:
    """A fan buys what a creator sent them."""
    fan_id = picks.of(parts.cast.fans, "fan")
    async with async_transaction(parts.async_engine) as session:
        sent = (
            await session.scalars(
                select(Message)
                .join(Conversation, Conversation.id == Message.conversation_id)
                .where(Conversation.fan_id == fan_id, Message.state == MessageState.SENT.value)
                .order_by(Message.id)
            )
        ).all()
        if not sent:
            return
        message = picks.of(sent, "thing")
        wish = Wish(
            fan_id=fan_id,
            creator_id=message.sender_id,
            message_id=message.id,
            terms=_terms(message),
            payment_method_id=(await card_of(session, fan_id, picks)).id,
            at=parts.now,
        )
        bought = await begin_unlock(session, wish)
    await _pay(parts, unlock_order(bought, at=parts.now))


def _terms(item: Post | Message) -> UnlockTerms:
    assert item.price_minor is not None and item.currency is not None
    return terms_for(list_minor=item.price_minor, currency=item.currency, discount_bps=0)


async def tip(parts: Parts, picks: Picks) -> None:
    fan_id = picks.of(parts.cast.fans, "fan")
    async with async_transaction(parts.async_engine) as session:
        fan = await session.get_one(User, fan_id, with_for_update=True)
        gesture = Gesture(
            id=picks.row_id("tip"),
            creator_id=picks.of(parts.cast.creators, "creator"),
            post_id=None,
            amount_minor=100 + picks.number("choice"),
            currency="USD",
            note="",
            at=parts.now,
        )
        given = await known_tip(session, fan, gesture)
        if given is None:
            card = await card_of(session, fan_id, picks)
            given = await begin_tip(session, fan, gesture, payment_method_id=card.id)
    await _pay(parts, tip_order(given, at=parts.now))


async def _pay(parts: Parts, order: ChargeOrder) -> None:
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
