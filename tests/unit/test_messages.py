"""What may be sent, and who may open what was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.access import (
    Carrier,
    Decision,
    Grant,
    GrantSource,
    OfferKind,
    Reason,
    Rule,
    Standing,
    Viewer,
    decide,
    media_subject,
    message_rule,
    message_subject,
)
from domain.accounts import Role
from domain.errors import Invalid
from domain.media.states import MediaState, Visibility
from domain.messages import check_message, client_message_id, conversation_id
from domain.posts import PostState

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SENDER, RECEIVER = "creator", "fan"
PAID = message_rule(message_id="m1", receiver_id=RECEIVER, price_minor=500, currency="USD")
FREE = message_rule(message_id="m1", receiver_id=RECEIVER, price_minor=None, currency=None)
BEGUN = NOW - timedelta(hours=1)
BOUGHT = Grant(GrantSource.UNLOCK, BEGUN, message_id="m1")
OTHER = Grant(GrantSource.UNLOCK, BEGUN, message_id="m2")
SUBSCRIBED = Grant(GrantSource.SUBSCRIPTION, BEGUN, tier_rank=9)
GIVEN = Grant(GrantSource.GIFT, BEGUN)
TAKEN_BACK = Grant(GrantSource.UNLOCK, BEGUN, revoked_at=NOW, message_id="m1")


@pytest.mark.parametrize(
    ("body", "media", "price", "currency", "may_sell", "code"),
    [
        ("hello", 0, None, None, False, None),
        ("", 1, None, None, False, None),
        ("", 0, None, None, True, "message_empty"),
        ("hello", 0, 300, "USD", True, None),
        ("hello", 0, 10_000, "EUR", True, None),
        ("hello", 0, 299, "USD", True, "price_out_of_bounds"),
        ("hello", 0, 10_001, "GBP", True, "price_out_of_bounds"),
        ("hello", 0, 500, "CHF", True, "currency_unknown"),
        ("hello", 0, 500, None, True, "price_missing"),
        ("hello", 0, None, "USD", True, "price_missing"),
        ("hello", 0, 500, "USD", False, "price_unfit"),
    ],
)
def test_what_may_be_sent(
    body: str, media: int, price: int | None, currency: str | None, may_sell: bool, code: str | None
) -> None:
    def check() -> None:
        check_message(
            body=body, media_count=media, price_minor=price, currency=currency, may_sell=may_sell
        )

    if code is None:
        check()
        return
    with pytest.raises(Invalid) as refused:
        check()
    assert refused.value.code == code


def test_two_people_have_one_conversation_whoever_begins() -> None:
    assert conversation_id("a", "b") == conversation_id("b", "a")
    assert conversation_id("a", "b") != conversation_id("a", "c")


def test_a_key_is_of_one_message_to_one_person() -> None:
    assert client_message_id(receiver_id="a", key="k") == client_message_id(
        receiver_id="a", key="k"
    )
    assert client_message_id(receiver_id="a", key="k") != client_message_id(
        receiver_id="b", key="k"
    )


VIEWERS = [
    (Viewer(SENDER, Role.CREATOR), PAID, [], Reason.OWNER),
    (Viewer(RECEIVER), FREE, [], Reason.RECEIVER),
    (Viewer(RECEIVER), PAID, [], Reason.NOT_ENTITLED),
    (Viewer(RECEIVER), PAID, [BOUGHT], Reason.ENTITLED),
    (Viewer(RECEIVER), PAID, [TAKEN_BACK], Reason.NOT_ENTITLED),
    (Viewer(RECEIVER), PAID, [OTHER], Reason.NOT_ENTITLED),
    (Viewer(RECEIVER), PAID, [SUBSCRIBED, GIVEN], Reason.NOT_ENTITLED),
    (Viewer("stranger"), FREE, [], Reason.HIDDEN),
    (Viewer("stranger"), PAID, [SUBSCRIBED, GIVEN], Reason.HIDDEN),
    (Viewer("stranger"), PAID, [BOUGHT], Reason.HIDDEN),
    (Viewer(None), FREE, [], Reason.HIDDEN),
]


@pytest.mark.parametrize(("viewer", "rule", "grants", "reason"), VIEWERS)
def test_who_may_open_a_message_and_the_media_that_only_it_carries(
    viewer: Viewer, rule: Rule, grants: list[Grant], reason: Reason
) -> None:
    message = message_subject(sender_id=SENDER, rule=rule)
    media = media_subject(
        media_id="x",
        owner_id=SENDER,
        state=MediaState.READY,
        visibility=Visibility.GATED,
        carriers=[Carrier(PostState.PUBLISHED, rule)],
    )
    assert decide(viewer, message, grants, NOW).reason is reason
    assert decide(viewer, media, grants, NOW).reason is reason


def decided(*, standing: Standing, is_deleted: bool = False) -> Decision:
    subject = message_subject(sender_id=SENDER, rule=PAID, is_deleted=is_deleted)
    return decide(Viewer(RECEIVER, country="DE"), subject, [BOUGHT], NOW, standing)


def test_blocks_closed_countries_and_deletion_hide_what_was_bought() -> None:
    assert decided(standing=Standing(blocked=True)).hidden
    assert decided(standing=Standing(blocked_countries=("DE",))).hidden
    assert decided(standing=Standing(), is_deleted=True).hidden
    assert decided(standing=Standing()).allowed


def test_the_offer_names_the_message_and_subscribers_have_something_off() -> None:
    subject = message_subject(sender_id=SENDER, rule=PAID)
    standing = Standing(subscriber_discount_bps=2_000)
    [offer] = decide(Viewer(RECEIVER), subject, [SUBSCRIBED], NOW, standing).offers
    assert (offer.kind, offer.message_id, offer.post_id) == (OfferKind.UNLOCK, "m1", None)
    assert (offer.price_minor, offer.list_minor) == (400, 500)


def test_media_of_a_deleted_message_do_not_open_to_subscribers() -> None:
    media = media_subject(
        media_id="x",
        owner_id=SENDER,
        state=MediaState.READY,
        visibility=Visibility.GATED,
        carriers=[Carrier(PostState.DELETED, PAID)],
    )
    for viewer in (Viewer(RECEIVER), Viewer("stranger")):
        assert decide(viewer, media, [SUBSCRIBED, BOUGHT], NOW).hidden
