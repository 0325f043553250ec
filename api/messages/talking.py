"""Routes of messages: write, read, delete."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from starlette.background import BackgroundTask

from api import API_PREFIX
from api.answers import json_answer
from api.auth.callers import SignedInCaller
from api.auth.origin import RequestOrigin
from api.contract.idempotency import IdempotencyKeyRequired
from api.messages import schemas
from api.messages.views import message_json
from api.parts import ApiParts
from api.portraits import person_body
from api.problems import PROBLEMS
from api.schemas import PageQuery
from domain.paging import cursor_for, cursor_for_number, keyset_from, number_from
from infra.db import async_transaction
from infra.ids import new_id
from infra.models.refunds import AccessedItem
from infra.queries.access.messages import open_conversation, open_message
from infra.queries.callers import load_caller
from infra.queries.messages.lists import list_conversations
from infra.queries.messages.sending import Draft, delete_message, send_message

router = APIRouter(prefix=API_PREFIX, tags=["messages"], responses=PROBLEMS)


@router.post(
    "/conversations/{user_id}/messages",
    operation_id="sendMessage",
    status_code=201,
    response_model=schemas.MessageBody,
)
async def send(
    user_id: UUID,
    wish: schemas.MessageSend,
    caller: SignedInCaller,
    key: IdempotencyKeyRequired,
    parts: ApiParts,
) -> Response:
    """Write to somebody: a fan to a creator whom they follow or subscribe to, or such a creator
    to the fan. A creator may ask for a price, for which text and media are opened.

    The same key is the same message, however often it is sent.
    """
    now = parts.now()
    async with async_transaction(parts.engine) as session:
        sender = await load_caller(session, caller.caller)
        draft = Draft(
            id=new_id(),
            receiver_id=str(user_id),
            key=key,
            body=wish.body,
            media_ids=wish.media_ids,
            price_minor=wish.price_minor,
            currency=wish.currency,
            at=now,
        )
        message_id = await send_message(session, sender, draft, caller=caller.caller)
    opened = await open_message(parts.reads, caller=caller.caller, message_id=message_id, now=now)
    return json_answer(message_json(parts, opened, now=now), status_code=201)


@router.get("/me/conversations", operation_id="listMyConversations")
async def get_conversations(
    query: Annotated[PageQuery, Query()], caller: SignedInCaller, parts: ApiParts
) -> schemas.ConversationPage:
    """The caller's conversations, those with the newest messages first."""
    now = parts.now()
    after = keyset_from(query.cursor) if query.cursor is not None else None
    found, last = await list_conversations(
        parts.reads, caller=caller.caller, after=after, limit=query.limit
    )
    return schemas.ConversationPage(
        data=[
            schemas.ConversationBody(
                id=each.id,
                with_person=person_body(parts, each.other, now),
                role="creator" if each.sells else "fan",
                last_seq=each.last_seq,
                last_message_at=each.last_message_at,
                created_at=each.created_at,
            )
            for each in found
        ],
        next_cursor=cursor_for(last) if last else None,
        has_more=last is not None,
    )


@router.get(
    "/conversations/{conversation_id}/messages",
    operation_id="listMessages",
    response_model=schemas.MessagePage,
)
async def get_messages(
    conversation_id: UUID,
    query: Annotated[PageQuery, Query()],
    caller: SignedInCaller,
    origin: RequestOrigin,
    parts: ApiParts,
) -> Response:
    """Messages of a conversation of the caller's, the newest first.

    Of those that are locked there is neither text nor media, but what they cost.
    """
    now = parts.now()
    page = await open_conversation(
        parts.reads,
        caller=caller.caller,
        conversation_id=str(conversation_id),
        now=now,
        before=number_from(query.cursor) if query.cursor is not None else None,
        limit=query.limit,
    )
    answer = json_answer(
        {
            "data": [message_json(parts, each, now=now) for each in page.messages],
            "next_cursor": None if page.next_seq is None else cursor_for_number(page.next_seq),
            "has_more": page.next_seq is not None,
        }
    )
    bought = [
        each
        for each in page.messages
        if each.price_minor is not None
        and parts.access_log.is_news(page.viewer, each.decision, AccessedItem.MESSAGE, each.id, now)
    ]
    if bought:
        answer.background = BackgroundTask(
            parts.access_log.note,
            page.viewer,
            creator_id=bought[0].sender_id,
            item=AccessedItem.MESSAGE,
            item_ids=[each.id for each in bought],
            origin=origin,
            at=now,
        )
    return answer


@router.delete("/messages/{message_id}", operation_id="deleteMessage", status_code=204)
async def delete(message_id: UUID, caller: SignedInCaller, parts: ApiParts) -> None:
    """Hide a message of one's own from both, also where it was bought. Its media stay in one's
    library. A payment that is under way is sent back."""
    async with async_transaction(parts.engine) as session:
        sender = await load_caller(session, caller.caller)
        await delete_message(
            session, sender_id=sender.id, message_id=str(message_id), at=parts.now()
        )
