"""The access decision, as a table and as properties."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.access import (
    Carrier,
    Grant,
    GrantSource,
    Offer,
    OfferKind,
    Reason,
    Rule,
    Standing,
    Subject,
    Viewer,
    decide,
    media_subject,
    post_subject,
)
from domain.accounts import Role
from domain.media.states import MediaState, Visibility
from domain.posts import Audience, PostState

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OWNER, FAN = "owner", "fan"

moments = st.integers(-100, 100).map(lambda hours: NOW + timedelta(hours=hours))
times: dict[str, st.SearchStrategy[Any]] = {
    "source": st.sampled_from(GrantSource),
    "starts_at": moments,
    "expires_at": st.none() | moments,
    "revoked_at": st.none() | moments,
}
POSTS, RANKS = ("p1", "p2", "p3"), st.integers(1, 3)
grants = st.one_of(
    st.builds(Grant, **times, tier_rank=st.none() | RANKS),
    st.builds(Grant, **times, media_id=st.sampled_from(["m", "other"])),
    st.builds(Grant, **times, post_id=st.sampled_from([*POSTS, "other"])),
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """A rule as the tables allow it."""
    audience, post_id = draw(st.sampled_from(Audience)), draw(st.sampled_from(POSTS))
    rank = draw(RANKS)
    match audience:
        case Audience.TIER:
            return Rule(audience, post_id, f"t{rank}", rank)
        case Audience.PAID if draw(st.booleans()):
            return Rule(audience, post_id, f"t{rank}", rank, 500, "USD")
        case Audience.PAID:
            return Rule(audience, post_id, price_minor=500, currency="USD")
        case _:
            return Rule(audience, post_id)


carriers = st.lists(st.builds(Carrier, st.sampled_from(PostState), rules()), max_size=3)
standings = st.builds(
    Standing,
    blocked=st.booleans(),
    follows=st.booleans(),
    blocked_countries=st.sampled_from([(), ("DE",), ("DE", "FR")]),
)
viewers = st.builds(
    Viewer,
    user_id=st.sampled_from([None, OWNER, FAN]),
    role=st.sampled_from(Role),
    country=st.sampled_from([None, "DE", "US"]),
).filter(lambda viewer: viewer.user_id is not None or viewer.role is Role.FAN)
subjects = st.builds(
    media_subject,
    media_id=st.just("m"),
    owner_id=st.just(OWNER),
    state=st.sampled_from(MediaState),
    visibility=st.sampled_from(Visibility),
    carriers=carriers,
) | st.builds(post_subject, owner_id=st.just(OWNER), state=st.sampled_from(PostState), rule=rules())
held_grants = st.lists(grants, max_size=4)


def subject(
    visibility: Visibility = Visibility.GATED, state: MediaState = MediaState.READY
) -> Subject:
    return media_subject(media_id="m", owner_id=OWNER, state=state, visibility=visibility)


ANON, STRANGER = Viewer(None), Viewer(FAN)
MODERATOR = Viewer("mod", Role.MODERATOR)


@pytest.mark.parametrize(
    ("viewer", "visibility", "state", "reason"),
    [
        (Viewer(OWNER, Role.CREATOR), Visibility.PRIVATE, MediaState.REJECTED, Reason.OWNER),
        (Viewer(OWNER, Role.CREATOR), Visibility.GATED, MediaState.DELETED, Reason.HIDDEN),
        (MODERATOR, Visibility.PRIVATE, MediaState.HELD, Reason.STAFF),
        (MODERATOR, Visibility.PUBLIC, MediaState.EXPIRED, Reason.HIDDEN),
        (STRANGER, Visibility.PRIVATE, MediaState.READY, Reason.HIDDEN),
        (STRANGER, Visibility.GATED, MediaState.READY, Reason.NOT_ENTITLED),
        (STRANGER, Visibility.GATED, MediaState.PLAYABLE, Reason.NOT_ENTITLED),
        (STRANGER, Visibility.GATED, MediaState.PROCESSING, Reason.HIDDEN),
        (STRANGER, Visibility.GATED, MediaState.HELD, Reason.HIDDEN),
        (STRANGER, Visibility.PUBLIC, MediaState.READY, Reason.PUBLIC),
        (STRANGER, Visibility.PUBLIC, MediaState.HELD, Reason.HIDDEN),
        (ANON, Visibility.PUBLIC, MediaState.READY, Reason.PUBLIC),
        (ANON, Visibility.GATED, MediaState.READY, Reason.HIDDEN),
        (ANON, Visibility.PRIVATE, MediaState.READY, Reason.HIDDEN),
    ],
)
def test_who_sees_what_without_grants(
    viewer: Viewer, visibility: Visibility, state: MediaState, reason: Reason
) -> None:
    assert decide(viewer, subject(visibility, state), [], NOW).reason is reason


@pytest.mark.parametrize(
    ("grant", "allowed"),
    [
        (Grant(GrantSource.GIFT, NOW), True),
        (Grant(GrantSource.GIFT, NOW + timedelta(seconds=1)), False),
        (Grant(GrantSource.UNLOCK, NOW, expires_at=NOW), False),
        (Grant(GrantSource.UNLOCK, NOW, expires_at=NOW + timedelta(seconds=1)), True),
        (Grant(GrantSource.SUBSCRIPTION, NOW, revoked_at=NOW), False),
        (Grant(GrantSource.SUBSCRIPTION, NOW, revoked_at=NOW + timedelta(seconds=1)), True),
    ],
)
def test_a_grant_opens_from_its_start_until_its_end(grant: Grant, allowed: bool) -> None:
    assert decide(STRANGER, subject(), [grant], NOW).allowed is allowed


def test_the_right_lasts_as_long_as_the_longest_live_grant() -> None:
    day, week = NOW + timedelta(days=1), NOW + timedelta(days=7)
    short = Grant(GrantSource.GIFT, NOW, expires_at=day)
    long = Grant(GrantSource.SUBSCRIPTION, NOW, expires_at=week)
    for_good = Grant(GrantSource.UNLOCK, NOW)
    assert decide(STRANGER, subject(), [short, long], NOW).expires_at == week
    assert decide(STRANGER, subject(), [short, for_good], NOW).expires_at is None


def test_a_right_that_is_to_be_taken_away_ends_then() -> None:
    day, week = NOW + timedelta(days=1), NOW + timedelta(days=7)
    for expires_at in (None, week):
        grant = Grant(GrantSource.SUBSCRIPTION, NOW, expires_at=expires_at, revoked_at=day)
        assert decide(STRANGER, subject(), [grant], NOW).expires_at == day


def test_what_is_locked_says_when_a_right_to_come_opens_it() -> None:
    day, week = NOW + timedelta(days=1), NOW + timedelta(days=7)
    late, early = Grant(GrantSource.GIFT, week), Grant(GrantSource.GIFT, day)
    void = Grant(GrantSource.GIFT, NOW + timedelta(hours=1), expires_at=NOW + timedelta(hours=1))
    assert decide(STRANGER, subject(), [late, early, void], NOW).begins_at == day
    assert decide(STRANGER, subject(), [void], NOW).begins_at is None


SUBSCRIBED = Grant(GrantSource.SUBSCRIPTION, NOW)
GOLD = Grant(GrantSource.SUBSCRIPTION, NOW, tier_rank=2)
GIFT = Grant(GrantSource.GIFT, NOW)
UNLOCKED = Grant(GrantSource.UNLOCK, NOW, post_id="p1")
UNLOCKED_OTHER = Grant(GrantSource.UNLOCK, NOW, post_id="p2")
FOLLOWS, STANDS_ALONE = Standing(follows=True), Standing()


@pytest.mark.parametrize(
    ("rule", "opened_by", "closed_to"),
    [
        (Rule(Audience.FOLLOWERS, "p1"), [FOLLOWS, SUBSCRIBED, GIFT, UNLOCKED], [STANDS_ALONE]),
        (Rule(Audience.SUBSCRIBERS, "p1"), [SUBSCRIBED, GOLD, GIFT, UNLOCKED], [FOLLOWS]),
        (Rule(Audience.TIER, "p1", "t1", 1), [SUBSCRIBED, GOLD, GIFT], [FOLLOWS]),
        (Rule(Audience.TIER, "p1", "t2", 2), [GOLD, GIFT, UNLOCKED], [SUBSCRIBED, FOLLOWS]),
        (Rule(Audience.TIER, "p1", "t3", 3), [GIFT], [GOLD, SUBSCRIBED, UNLOCKED_OTHER]),
        (Rule(Audience.PAID, "p1"), [UNLOCKED], [GIFT, GOLD, FOLLOWS, UNLOCKED_OTHER]),
        (Rule(Audience.PAID, "p1", "t2", 2), [UNLOCKED, GOLD, GIFT], [SUBSCRIBED, FOLLOWS]),
    ],
)
def test_what_opens_a_post(
    rule: Rule, opened_by: list[Grant | Standing], closed_to: list[Grant | Standing]
) -> None:
    item = post_subject(owner_id=OWNER, state=PostState.PUBLISHED, rule=rule)
    for wanted, sources in ((True, opened_by), (False, closed_to)):
        for source in sources:
            held = [source] if isinstance(source, Grant) else []
            standing = source if isinstance(source, Standing) else STANDS_ALONE
            assert decide(STRANGER, item, held, NOW, standing).allowed is wanted, source


@pytest.mark.parametrize(
    ("list_minor", "held", "price_minor"),
    [
        (1_000, [], 1_000),
        (1_000, [UNLOCKED_OTHER], 1_000),
        (1_000, [replace(SUBSCRIBED, expires_at=NOW)], 1_000),
        (1_000, [SUBSCRIBED], 850),
        (1_000, [GIFT], 850),
        (999, [SUBSCRIBED], 849),
        (100, [SUBSCRIBED], 85),
        (55, [SUBSCRIBED], 50),
        (50, [SUBSCRIBED], 50),
    ],
)
def test_who_subscribes_is_offered_less_to_pay_but_what_can_be_charged(
    list_minor: int, held: list[Grant], price_minor: int
) -> None:
    rule = Rule(Audience.PAID, "p1", price_minor=list_minor, currency="USD")
    item = post_subject(owner_id=OWNER, state=PostState.PUBLISHED, rule=rule)
    standing = Standing(subscriber_discount_bps=1_500)
    [offer] = decide(STRANGER, item, held, NOW, standing).offers
    assert offer.price_minor == price_minor
    assert offer.list_minor == (list_minor if price_minor != list_minor else None)
    [full] = decide(STRANGER, item, held, NOW).offers
    assert (full.price_minor, full.list_minor) == (list_minor, None)


@pytest.mark.parametrize("state", [each for each in PostState if each is not PostState.PUBLISHED])
def test_a_post_that_is_not_published_exists_for_nobody_but_its_owner(state: PostState) -> None:
    item = post_subject(owner_id=OWNER, state=state, rule=Rule(Audience.PUBLIC, "p1"))
    assert decide(STRANGER, item, [UNLOCKED], NOW).hidden
    assert decide(Viewer(OWNER, Role.CREATOR), item, [], NOW).hidden is (state == "deleted")


def test_a_media_is_open_to_whom_one_of_its_posts_is() -> None:
    paid, public = Rule(Audience.PAID, "p1", None, None, 500, "USD"), Rule(Audience.PUBLIC, "p2")

    def carried(*carriers: Carrier, visibility: Visibility = Visibility.GATED) -> Subject:
        return media_subject(
            media_id="m",
            owner_id=OWNER,
            state=MediaState.READY,
            visibility=visibility,
            carriers=carriers,
        )

    sold = carried(Carrier(PostState.PUBLISHED, paid))
    assert not decide(STRANGER, sold, [SUBSCRIBED, GIFT], NOW).allowed
    assert decide(STRANGER, sold, [UNLOCKED], NOW).allowed
    assert decide(STRANGER, sold, [], NOW).offers == (
        Offer(OfferKind.UNLOCK, OWNER, post_id="p1", price_minor=500, currency="USD"),
    )
    shared = carried(Carrier(PostState.PUBLISHED, paid), Carrier(PostState.PUBLISHED, public))
    assert decide(ANON, shared, [], NOW).reason is Reason.PUBLIC
    private = carried(Carrier(PostState.PUBLISHED, paid), visibility=Visibility.PRIVATE)
    assert decide(STRANGER, private, [UNLOCKED], NOW).allowed
    drafted = carried(Carrier(PostState.DRAFT, public))
    assert decide(STRANGER, drafted, [SUBSCRIBED], NOW).hidden, "a draft takes it off the shelf"
    dropped = carried(Carrier(PostState.DELETED, paid))
    assert decide(STRANGER, dropped, [SUBSCRIBED], NOW).allowed, "as if no post had carried it"
    removed = carried(Carrier(PostState.TAKEN_DOWN, public), visibility=Visibility.PUBLIC)
    assert decide(STRANGER, removed, [UNLOCKED, SUBSCRIBED], NOW).hidden
    assert decide(Viewer(OWNER, Role.CREATOR), removed, [], NOW).allowed


@given(viewers, subjects, held_grants, standings)
def test_only_the_owner_staff_or_a_way_in_ever_open_anything(
    viewer: Viewer, item: Subject, held: list[Grant], standing: Standing
) -> None:
    decision = decide(viewer, item, held, NOW, standing)
    audiences = {rule.audience for rule in item.rules}
    if decision.allowed:
        assert not item.is_gone
        assert (
            viewer.user_id == item.owner_id
            or viewer.role.is_staff
            or Audience.PUBLIC in audiences
            or (standing.follows and Audience.FOLLOWERS in audiences)
            or any(grant.is_live(NOW) for grant in held)
        )
        assert decision.expires_at is None or decision.expires_at > NOW
    else:
        assert decision.reason in (Reason.HIDDEN, Reason.NOT_ENTITLED)
        assert bool(decision.offers) == (decision.reason is Reason.NOT_ENTITLED)


@given(viewers, subjects, held_grants, standings)
def test_blocks_and_regions_come_before_every_right(
    viewer: Viewer, item: Subject, held: list[Grant], standing: Standing
) -> None:
    if viewer.user_id == item.owner_id or viewer.role.is_staff:
        return
    if standing.blocked or viewer.country in standing.blocked_countries:
        assert decide(viewer, item, held, NOW, standing).hidden


@given(subjects, held_grants, standings)
def test_nobody_signed_in_sees_what_is_public_and_nothing_else(
    item: Subject, held: list[Grant], standing: Standing
) -> None:
    decision = decide(ANON, item, held, NOW, standing)
    assert decision.reason in (Reason.PUBLIC, Reason.HIDDEN)


@given(viewers, subjects, held_grants, standings)
def test_no_right_opens_what_is_not_shown_or_gone(
    viewer: Viewer, item: Subject, held: list[Grant], standing: Standing
) -> None:
    if viewer.user_id == item.owner_id or viewer.role.is_staff:
        return
    if not item.rules or not item.is_shown or item.is_gone:
        assert decide(viewer, item, held, NOW, standing).hidden


@given(viewers, subjects, held_grants, grants, standings)
def test_one_right_more_never_closes_anything(
    viewer: Viewer, item: Subject, held: list[Grant], more: Grant, standing: Standing
) -> None:
    before = decide(viewer, item, held, NOW, standing)
    after = decide(viewer, item, [*held, more], NOW, standing)
    assert after.allowed or not before.allowed


@given(viewers, subjects, held_grants, rules(), standings)
def test_one_post_more_that_carries_it_never_closes_anything(
    viewer: Viewer, item: Subject, held: list[Grant], more: Rule, standing: Standing
) -> None:
    before = decide(viewer, item, held, NOW, standing)
    after = decide(viewer, replace(item, rules=(*item.rules, more)), held, NOW, standing)
    assert after.allowed or not before.allowed


@given(subjects, held_grants, standings)
def test_a_higher_tier_opens_all_that_a_lower_one_does(
    item: Subject, held: list[Grant], standing: Standing
) -> None:
    raised = [
        grant if grant.tier_rank is None else replace(grant, tier_rank=grant.tier_rank + 1)
        for grant in held
    ]
    before = decide(STRANGER, item, held, NOW, standing)
    assert decide(STRANGER, item, raised, NOW, standing).allowed or not before.allowed


@given(subjects, held_grants, standings)
def test_every_offer_opens_it_when_it_is_taken(
    item: Subject, held: list[Grant], standing: Standing
) -> None:
    ranks = {rule.tier_id: rule.tier_rank for rule in item.rules}

    def taken(offer: Offer) -> tuple[list[Grant], Standing]:
        match offer.kind:
            case OfferKind.FOLLOW:
                return held, replace(standing, follows=True)
            case OfferKind.UNLOCK:
                return [*held, Grant(GrantSource.UNLOCK, NOW, post_id=offer.post_id)], standing
            case OfferKind.SUBSCRIBE:
                bought = Grant(GrantSource.SUBSCRIPTION, NOW, tier_rank=ranks.get(offer.tier_id))
                return [*held, bought], standing

    for offer in decide(STRANGER, item, held, NOW, standing).offers:
        rights, stands = taken(offer)
        assert decide(STRANGER, item, rights, NOW, stands).allowed, offer


@given(subjects, held_grants, standings)
def test_a_right_that_is_said_to_end_is_over_then(
    item: Subject, held: list[Grant], standing: Standing
) -> None:
    begun = [replace(grant, starts_at=NOW) for grant in held]
    decision = decide(STRANGER, item, begun, NOW, standing)
    if decision.expires_at is not None:
        moment = timedelta(microseconds=1)
        assert decide(STRANGER, item, begun, decision.expires_at - moment, standing).allowed
        assert not decide(STRANGER, item, begun, decision.expires_at, standing).allowed


@given(subjects, held_grants, standings)
def test_a_right_that_is_said_to_begin_opens_then_and_nothing_does_before(
    item: Subject, held: list[Grant], standing: Standing
) -> None:
    decision = decide(STRANGER, item, held, NOW, standing)
    if decision.begins_at is None:
        return
    moment = timedelta(microseconds=1)
    assert not decide(STRANGER, item, held, decision.begins_at - moment, standing).allowed
    assert decide(STRANGER, item, held, decision.begins_at, standing).allowed


@given(subjects, held_grants, standings)
def test_nobody_sees_more_than_a_moderator(
    item: Subject, held: list[Grant], standing: Standing
) -> None:
    fan = decide(STRANGER, item, held, NOW, standing)
    assert decide(MODERATOR, item, [], NOW).allowed or not fan.allowed
