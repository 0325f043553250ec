"""Messages to test with. Written and committed on `engine`, gone after the test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from domain.messages import MessageState, conversation_id
from infra.db import transaction
from infra.ids import new_id
from infra.models import Conversation, Media, Message, MessageMedia, User


def write_message(
    engine: Engine, creator: User, fan: User, *, media: Sequence[Media] = (), **columns: Any
) -> Message:
    """A message of the creator's to the fan, unless `columns` name another `sender_id`."""
    held, now = conversation_id(creator.id, fan.id), datetime.now(UTC)
    values = {
        "id": new_id(),
        "client_msg_id": new_id(),
        "sender_id": creator.id,
        "body": "Only for you",
        "state": MessageState.SENT.value,
        "media_count": len(media),
    } | columns
    receiver = fan if values["sender_id"] == creator.id else creator
    with transaction(engine) as session:
        conversation = session.get(Conversation, held) or Conversation(
            id=held, creator_id=creator.id, fan_id=fan.id, last_seq=0
        )
        conversation.last_seq, conversation.last_message_at = conversation.last_seq + 1, now
        session.add(conversation)
        session.flush()
        message = Message(conversation_id=held, seq=conversation.last_seq, **values)
        session.add(message)
        session.flush()
        session.add_all(
            MessageMedia(
                message_id=message.id, media_id=each.id, position=place, receiver_id=receiver.id
            )
            for place, each in enumerate(media)
        )
        session.refresh(message)
    return message
