"""Messages between a creator and a fan: what may be sent, and for which price."""

from __future__ import annotations

from enum import StrEnum

from domain.errors import Invalid
from domain.ids import derived_id
from domain.posts import check_price

BODY_CHARS_MAX = 5_000
MEDIA_MAX = 20
PRICE_MINOR_BOUNDS = {"EUR": (300, 10_000), "GBP": (300, 10_000), "USD": (300, 10_000)}
"""Least and most of a price, in minor units, by currency (ISO 4217)."""


class MessageState(StrEnum):
    SENT = "sent"
    DELETED = "deleted"
    """By its sender; nobody sees it any more."""


def conversation_id(one_id: str, other_id: str) -> str:
    """Of two people, whoever begins: they have one conversation, also where both are creators."""
    return derived_id("conversation", *sorted((one_id, other_id)))


def client_message_id(*, receiver_id: str, key: str) -> str:
    """Of a sender's key: the same key to the same person is the same message."""
    return derived_id("message", receiver_id, key)


def check_message(
    *,
    body: str,
    media_count: int,
    price_minor: int | None,
    currency: str | None,
    may_sell: bool,
) -> None:
    """Do the parts of a message fit each other?

    Args:
        may_sell: its sender is the creator of the conversation.

    Raises:
        Invalid: `message_empty`, `price_missing`, `price_unfit`, `currency_unknown` or
            `price_out_of_bounds`.
    """
    if not body and not media_count:
        raise Invalid("A message needs a text or a media.", code="message_empty")
    if price_minor is None and currency is None:
        return
    if price_minor is None or currency is None:
        raise Invalid("Say its price and the currency.", code="price_missing")
    if not may_sell:
        raise Invalid("Only a creator's messages to a fan have a price.", code="price_unfit")
    check_price(price_minor, currency, bounds_minor=PRICE_MINOR_BOUNDS)
