"""What is written to conversations. Every function runs inside the caller's transaction.

Locks are taken in one order: the conversation, then the media by id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, insert, literal, or_, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Caller
from domain.accounts import Role
from domain.errors import AccessDenied, Conflict, Invalid, NotFound
from domain.media.states import MediaState, Purpose
from domain.messages import MessageState, check_message, client_message_id, conversation_id
from domain.posts import Audience
from infra.models import (
    Block,
    Conversation,
    Creator,
    Entitlement,
    Follow,
    Media,
    Message,
    MessageMedia,
    User,
)
from infra.queries.access.messages import no_such_message
from infra.queries.posts.writing import lock_media, require_not_public, require_not_taken_down

_PURPOSES = (Purpose.MESSAGE, Purpose.POST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody wants to send, and the key of the request that says so."""

    id: str
    receiver_id: str
    key: str = field(repr=False)
    body: str
    media_ids: Sequence[str]
    price_minor: int | None
    currency: str | None
    at: datetime

    @property
    def client_msg_id(self) -> str:
        return client_message_id(receiver_id=self.receiver_id, key=self.key)


async def send_message(session: AsyncSession, sender: User, draft: Draft, *, caller: Caller) -> str:
    """Write the message, once for each key; returns its id.

    Raises:
        NotFound: `user_not_found`; also where either has blocked the other.
        AccessDenied: `not_connected`; neither follows the other or subscribes to them.
        Invalid: its parts don't fit each other, or `media_repeated`, `media_unknown` or
            `media_unfit`.
        Conflict: `media_not_ready`, `media_taken_down`, `media_is_public` or
            `idempotency_key_reused`.
    """
    known = await _sent_before(session, sender, draft)
    if known is not None:
        return known
    receiver = await _receiver(session, sender, draft.receiver_id, caller)
    conversation = await _locked_conversation(session, sender, receiver, at=draft.at)
    # The same request twice at once: the second has waited for the first just now.
    known = await _sent_before(session, sender, draft)
    if known is not None:
        return known
    check_message(
        body=draft.body,
        media_count=len(draft.media_ids),
        price_minor=draft.price_minor,
        currency=draft.currency,
        may_sell=conversation.creator_id == sender.id and sender.role == Role.CREATOR,
    )
    await _require_own_media(session, sender, draft)
    conversation.last_seq += 1
    conversation.last_message_at = draft.at
    session.add(
        Message(
            id=draft.id,
            conversation_id=conversation.id,
            seq=conversation.last_seq,
            sender_id=sender.id,
            client_msg_id=draft.client_msg_id,
            body=draft.body,
            price_minor=draft.price_minor,
            currency=draft.currency,
            state=MessageState.SENT.value,
            media_count=len(draft.media_ids),
            created_at=draft.at,
        )
    )
    await session.flush()
    await _carry(session, draft)
    return draft.id


async def delete_message(
    session: AsyncSession, *, sender_id: str, message_id: str, at: datetime
) -> None:
    """Hide a message of the sender's own from both.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    message = await session.get(Message, message_id, with_for_update=True)
    if message is None or message.sender_id != sender_id or message.state != MessageState.SENT:
        raise no_such_message(message_id)
    message.state, message.deleted_at = MessageState.DELETED.value, at


async def _sent_before(session: AsyncSession, sender: User, draft: Draft) -> str | None:
    """The message of this key, if there is one.

    Raises:
        Conflict: `idempotency_key_reused`; it says something else.
    """
    message = await session.scalar(
        select(Message).where(
            Message.sender_id == sender.id, Message.client_msg_id == draft.client_msg_id
        )
    )
    if message is None:
        return None
    said = (message.body, message.price_minor, message.currency, message.media_count)
    if said != (draft.body, draft.price_minor, draft.currency, len(draft.media_ids)):
        raise Conflict(
            "The same Idempotency-Key came with another message.", code="idempotency_key_reused"
        )
    return message.id


async def _receiver(session: AsyncSession, sender: User, receiver_id: str, caller: Caller) -> User:
    blocks = select(Block.blocker_id).where(
        or_(
            (Block.blocker_id == sender.id) & (Block.blocked_id == User.id),
            (Block.blocker_id == User.id) & (Block.blocked_id == sender.id),
        )
    )
    hides = select(Creator.user_id).where(
        Creator.user_id == User.id, literal(caller.country) == func.any(Creator.blocked_countries)
    )
    receiver = await session.scalar(
        select(User).where(
            User.id == receiver_id,
            User.id != sender.id,
            User.deleted_at.is_(None),
            User.suspended_at.is_(None),
            ~blocks.exists(),
            ~hides.exists(),
        )
    )
    if receiver is None:
        raise NotFound("There is no such user.", code="user_not_found")
    return receiver


async def _locked_conversation(
    session: AsyncSession, sender: User, receiver: User, *, at: datetime
) -> Conversation:
    """The one conversation of both, begun now where they have none."""
    if await _is_fan_of(session, sender, receiver, at=at):
        creator, fan = receiver, sender
    elif await _is_fan_of(session, receiver, sender, at=at):
        creator, fan = sender, receiver
    else:
        raise AccessDenied(
            "Write to creators whom you follow or subscribe to, or to who follows you.",
            code="not_connected",
        )
    held = conversation_id(sender.id, receiver.id)
    await session.execute(
        postgresql.insert(Conversation)
        .values(id=held, creator_id=creator.id, fan_id=fan.id, last_message_at=at, created_at=at)
        .on_conflict_do_nothing()
    )
    return await session.get_one(Conversation, held, with_for_update=True, populate_existing=True)


async def _is_fan_of(session: AsyncSession, fan: User, creator: User, *, at: datetime) -> bool:
    """Whether one follows the other, who is a creator, or has a right on all of theirs."""
    if creator.role != Role.CREATOR:
        return False
    follows = select(Follow.fan_id).where(Follow.fan_id == fan.id, Follow.creator_id == creator.id)
    subscribes = select(Entitlement.id).where(
        Entitlement.fan_id == fan.id,
        Entitlement.creator_id == creator.id,
        Entitlement.media_id.is_(None),
        Entitlement.post_id.is_(None),
        Entitlement.message_id.is_(None),
        Entitlement.starts_at <= at,
        or_(Entitlement.expires_at.is_(None), Entitlement.expires_at > at),
        or_(Entitlement.revoked_at.is_(None), Entitlement.revoked_at > at),
    )
    return bool(await session.scalar(select(follows.exists() | subscribes.exists())))


async def _require_own_media(session: AsyncSession, sender: User, draft: Draft) -> None:
    ids = draft.media_ids
    if len(set(ids)) != len(ids):
        raise Invalid("A message carries each media once.", code="media_repeated")
    found = {each.id: each for each in await lock_media(session, ids)}
    for media_id in ids:
        media = found.get(media_id)
        if media is None or media.owner_id != sender.id:
            raise Invalid("You have no such media.", code="media_unknown", media_id=media_id)
        _require_fit(media)
    await require_not_taken_down(session, ids)
    require_not_public(found.values(), Audience.PAID)


def _require_fit(media: Media) -> None:
    if media.purpose not in _PURPOSES:
        raise Invalid(
            "It was uploaded for something else.",
            code="media_unfit",
            media_id=media.id,
            purpose=media.purpose,
        )
    if media.state != MediaState.READY:
        raise Conflict(
            "This media is not ready.", code="media_not_ready", media_id=media.id, state=media.state
        )


async def _carry(session: AsyncSession, draft: Draft) -> None:
    if draft.media_ids:
        rows = [
            {
                "message_id": draft.id,
                "media_id": media_id,
                "position": position,
                "receiver_id": draft.receiver_id,
            }
            for position, media_id in enumerate(draft.media_ids)
        ]
        await session.execute(insert(MessageMedia), rows)
