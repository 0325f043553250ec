"""Rows of messages. Nobody works here for the API, so nothing can be paid."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx

from infra.models import Message
from tests.e2e.api.walk.buying import API, PRICE, SIGNED_IN, key
from tests.e2e.api.walk.rows import Case, Row, Stage, each
from tests.harness.messages import write_message


def message_to_the_follower(stage: Stage) -> Message:
    return write_message(stage.engine, stage.owner, stage.people.follower.user)


def paid_message_to_the_follower(stage: Stage) -> Message:
    return write_message(
        stage.engine,
        stage.owner,
        stage.people.follower.user,
        price_minor=PRICE["price_minor"],
        currency=PRICE["currency"],
    )


def message_to_the_blocked(stage: Stage) -> Message:
    return write_message(stage.engine, stage.owner, stage.people.blocked.user)


def send(case: Case[str]) -> httpx.Response:
    return case.client.post(
        f"{API}/conversations/{case.subject}/messages", json={"body": "Hello"}, headers=key()
    )


def read(case: Case[Message]) -> httpx.Response:
    return case.client.get(f"{API}/conversations/{case.subject.conversation_id}/messages")


def delete(case: Case[Message]) -> httpx.Response:
    return case.client.delete(f"{API}/messages/{case.subject.id}")


def buy(case: Case[Message]) -> httpx.Response:
    return case.client.post(f"{API}/messages/{case.subject.id}/unlock", json=PRICE, headers=key())


ROWS: list[Row[Any]] = [
    Row(
        "sendMessage",
        send,
        each(403, anonymous=401, blocked=404, owner=404, follower=201, entitled=201),
        lambda stage: stage.owner.id,
    ),
    Row(
        "listMyConversations",
        lambda case: case.client.get(f"{API}/me/conversations"),
        SIGNED_IN,
        paid_message_to_the_follower,
    ),
    Row(
        "listMessages",
        read,
        each(404, anonymous=401, owner=200, follower=200),
        message_to_the_follower,
    ),
    Row(
        "listMessages",
        read,
        each(404, anonymous=401),
        message_to_the_blocked,
        label="blocked",
    ),
    Row(
        "deleteMessage",
        delete,
        each(404, anonymous=401, owner=204),
        message_to_the_follower,
        changes=True,
    ),
    # Nobody here has a card; the sender has nothing to buy.
    Row(
        "unlockMessage",
        buy,
        each(404, anonymous=401, owner=409, follower=409),
        paid_message_to_the_follower,
    ),
]
