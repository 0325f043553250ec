"""The access decision: one pure function, the only place that says who may see what.

Order of rules: what nobody may see → owner → staff → blocks and regions → what is not shown →
each rule that opens the subject. A subject that the viewer may not even know of is `HIDDEN`
(the API answers 404).

A media that posts or messages carry is open to whom one of them is open. By itself it is open to
everybody (`public`), to subscribers (`gated`, and nothing carries it) or to nobody (`private`).
What a message has carried stays between its two people, also when the message is deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from domain.accounts import Role
from domain.media.states import MediaState, Visibility
from domain.posts import Audience, PostState
from domain.unlocks.terms import terms_for


class Reason(StrEnum):
    OWNER = "owner"
    STAFF = "staff"
    PUBLIC = "public"
    FOLLOWER = "follower"
    RECEIVER = "receiver"
    """It was sent to the viewer, who need not pay for it."""
    ENTITLED = "entitled"
    NOT_ENTITLED = "not_entitled"
    HIDDEN = "hidden"


class GrantSource(StrEnum):
    SUBSCRIPTION = "subscription"
    UNLOCK = "unlock"
    GIFT = "gift"


class OfferKind(StrEnum):
    FOLLOW = "follow"
    SUBSCRIBE = "subscribe"
    UNLOCK = "unlock"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request, as far as their token tells; `user_id` None is nobody signed in.

    `country` (ISO 3166-1 alpha-2) is where the request comes from; None where that is unknown.
    """

    user_id: str | None
    session_id: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks, as the database knows them now. `user_id` None is somebody not signed in."""

    user_id: str | None
    role: Role = Role.FAN
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How the viewer and the owner of a subject stand to each other."""

    blocked: bool = False
    """Either has blocked the other."""
    follows: bool = False
    blocked_countries: tuple[str, ...] = ()
    """Where the owner wants nothing to be seen."""
    subscriber_discount_bps: int = 0
    """What the owner takes off for subscribers who unlock something."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One way in. Several of a subject count as alternatives.

    A message has the audience `paid`; where it has no price, its receiver need not pay.
    """

    audience: Audience
    post_id: str | None = None
    """The post that gives the rule, which is what an unlock opens."""
    tier_id: str | None = None
    tier_rank: int | None = None
    """With `tier`: the least rank. With `paid`: from which rank on nothing need be paid."""
    price_minor: int | None = None
    currency: str | None = None
    message_id: str | None = None
    """The message that gives the rule, which is what an unlock opens."""
    receiver_id: str | None = None
    """Of a message: for nobody else is it a way in."""

    def is_for(self, viewer: Viewer) -> bool:
        """Whether the viewer may know of this way."""
        return self.receiver_id is None or self.receiver_id == viewer.user_id

    @property
    def is_free_message(self) -> bool:
        return self.message_id is not None and self.price_minor is None


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked for: one media, one post or one message."""

    owner_id: str
    rules: tuple[Rule, ...]
    is_gone: bool = False
    """Deleted or expired: it exists for nobody."""
    is_shown: bool = True
    """False: only its owner and staff may know of it yet."""
    media_id: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """A right of the viewer: on one media, one post or one message, or on all that a subscription
    opens, which no message is."""

    source: GrantSource
    starts_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    media_id: str | None = None
    post_id: str | None = None
    tier_rank: int | None = None
    """Of a right on everything; None: every tier for a gift, the lowest for a subscription."""
    message_id: str | None = None

    @property
    def is_for_all(self) -> bool:
        """A subscription, or one that was given; not a single thing."""
        return self.media_id is None and self.post_id is None and self.message_id is None

    @property
    def ends_at(self) -> datetime | None:
        """When it runs out or is taken away, whichever comes first; None: it has no end."""
        if self.expires_at is None or self.revoked_at is None:
            return self.expires_at or self.revoked_at
        return min(self.expires_at, self.revoked_at)

    def is_live(self, now: datetime) -> bool:
        ends_at = self.ends_at
        return self.starts_at <= now and (ends_at is None or ends_at > now)

    def opens(self, subject: Subject, rule: Rule) -> bool:
        """Whether, while it is live, it satisfies this rule of the subject."""
        if self.media_id is not None:
            return self.media_id == subject.media_id
        if self.post_id is not None:
            return self.post_id == rule.post_id
        if self.message_id is not None:
            return self.message_id == rule.message_id
        if rule.audience in (Audience.TIER, Audience.PAID):
            return rule.tier_rank is not None and self._reaches(rule.tier_rank)
        return True

    def _reaches(self, rank: int) -> bool:
        if self.tier_rank is None:
            return self.source is GrantSource.GIFT or rank <= LOWEST_RANK
        return self.tier_rank >= rank


LOWEST_RANK = 1


@dataclass(frozen=True, slots=True)
class Offer:
    """What would open the subject. Prices in minor units of `currency`."""

    kind: OfferKind
    creator_id: str
    media_id: str | None = None
    post_id: str | None = None
    tier_id: str | None = None
    price_minor: int | None = None
    """What this viewer would pay."""
    list_minor: int | None = None
    """What others pay, where this viewer has something off."""
    currency: str | None = None
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    reason: Reason
    expires_at: datetime | None = None
    """When the right ends, UTC; None where it has no end."""
    offers: tuple[Offer, ...] = ()
    begins_at: datetime | None = None
    """Of what is locked: when a right that the viewer already has will open it."""

    @property
    def hidden(self) -> bool:
        return self.reason is Reason.HIDDEN


HIDDEN = Decision(allowed=False, reason=Reason.HIDDEN)
_OWNER = Decision(allowed=True, reason=Reason.OWNER)
_STAFF = Decision(allowed=True, reason=Reason.STAFF)
_PUBLIC = Decision(allowed=True, reason=Reason.PUBLIC)
_FOLLOWER = Decision(allowed=True, reason=Reason.FOLLOWER)
_RECEIVER = Decision(allowed=True, reason=Reason.RECEIVER)
_GONE = frozenset({MediaState.DELETED, MediaState.EXPIRED})


def decide(
    viewer: Viewer,
    subject: Subject,
    grants: Iterable[Grant],
    now: datetime,
    standing: Standing = Standing(),  # Frozen: one for all is as good as many.
) -> Decision:
    """May `viewer` see the full `subject` at `now` (UTC)?

    `grants` are the viewer's rights on what this owner publishes, live or not.
    """
    if subject.is_gone:
        return HIDDEN
    if viewer.user_id is not None and viewer.user_id == subject.owner_id:
        return _OWNER
    if viewer.role.is_staff:
        return _STAFF
    if standing.blocked or viewer.country in standing.blocked_countries:
        return HIDDEN
    rules = [rule for rule in subject.rules if rule.is_for(viewer)]
    if not subject.is_shown or not rules:
        return HIDDEN
    if any(rule.audience is Audience.PUBLIC for rule in rules):
        return _PUBLIC
    if viewer.user_id is None:
        return HIDDEN
    held = list(grants)
    fitting = [grant for grant in held if any(grant.opens(subject, rule) for rule in rules)]
    live = [grant for grant in fitting if grant.is_live(now)]
    if any(rule.is_free_message for rule in rules):
        return _RECEIVER
    if standing.follows and any(rule.audience is Audience.FOLLOWERS for rule in rules):
        return _FOLLOWER
    if live:
        return Decision(allowed=True, reason=Reason.ENTITLED, expires_at=_latest_expiry(live))
    return Decision(
        allowed=False,
        reason=Reason.NOT_ENTITLED,
        offers=_offers_for(subject, rules, _discount_bps(held, standing, now)),
        begins_at=_first_beginning(fitting, now),
    )


@dataclass(frozen=True, slots=True)
class Carrier:
    """A post or a message that carries a media, and the rule it gives.

    A message that is there is `published`.
    """

    state: PostState
    rule: Rule


def media_subject(
    *,
    media_id: str,
    owner_id: str,
    state: MediaState,
    visibility: Visibility,
    carriers: Iterable[Carrier] = (),
) -> Subject:
    """A media with all the rules that open it.

    What staff took down with a post is not open by itself either, only by another post.
    """
    carried = [
        each
        for each in carriers
        if each.state is not PostState.DELETED or each.rule.message_id is not None
    ]
    rules = [each.rule for each in carried if each.state is PostState.PUBLISHED]
    is_taken_down = any(each.state is PostState.TAKEN_DOWN for each in carried)
    if visibility is Visibility.PUBLIC and not is_taken_down:
        rules.append(Rule(Audience.PUBLIC))
    elif visibility is Visibility.GATED and not carried:
        rules.append(Rule(Audience.SUBSCRIBERS))
    return Subject(
        owner_id=owner_id,
        rules=tuple(rules),
        is_gone=state in _GONE,
        is_shown=state.is_servable,
        media_id=media_id,
    )


def post_subject(*, owner_id: str, state: PostState, rule: Rule) -> Subject:
    """A post with the one rule that opens it."""
    return Subject(
        owner_id=owner_id,
        rules=(rule,),
        is_gone=state is PostState.DELETED,
        is_shown=state is PostState.PUBLISHED,
    )


def message_rule(
    *, message_id: str, receiver_id: str, price_minor: int | None, currency: str | None
) -> Rule:
    """The one way into a message: for its receiver, who pays where it has a price."""
    return Rule(
        Audience.PAID,
        price_minor=price_minor,
        currency=currency,
        message_id=message_id,
        receiver_id=receiver_id,
    )


def message_subject(*, sender_id: str, rule: Rule, is_deleted: bool = False) -> Subject:
    """A message, which its sender owns."""
    return Subject(owner_id=sender_id, rules=(rule,), is_gone=is_deleted)


def _latest_expiry(grants: list[Grant]) -> datetime | None:
    ends = [grant.ends_at for grant in grants]
    if any(end is None for end in ends):
        return None
    return max(end for end in ends if end is not None)


def _first_beginning(grants: list[Grant], now: datetime) -> datetime | None:
    begins = (grant.starts_at for grant in grants if grant.is_live(grant.starts_at))
    return min((each for each in begins if each > now), default=None)


def _discount_bps(grants: list[Grant], standing: Standing, now: datetime) -> int:
    """What the viewer has off: the owner's discount, while they subscribe."""
    subscribes = any(grant.is_for_all and grant.is_live(now) for grant in grants)
    return standing.subscriber_discount_bps if subscribes else 0


def _offers_for(subject: Subject, rules: list[Rule], discount_bps: int) -> tuple[Offer, ...]:
    """Each way in once, in the order of the rules."""
    offers: dict[Offer, None] = {}
    for rule in rules:
        for offer in _offers_of(subject, rule, discount_bps):
            offers[offer] = None
    return tuple(offers)


def _offers_of(subject: Subject, rule: Rule, discount_bps: int) -> list[Offer]:
    follow = Offer(OfferKind.FOLLOW, subject.owner_id)
    subscribe = Offer(OfferKind.SUBSCRIBE, subject.owner_id, tier_id=rule.tier_id)
    match rule.audience:
        case Audience.FOLLOWERS:
            return [follow]
        case Audience.PAID:
            unlock = _unlock_offer(subject, rule, discount_bps)
            return [unlock, subscribe] if rule.tier_id is not None else [unlock]
        case _:
            return [subscribe]


def _unlock_offer(subject: Subject, rule: Rule, discount_bps: int) -> Offer:
    offer = Offer(
        OfferKind.UNLOCK,
        subject.owner_id,
        post_id=rule.post_id,
        price_minor=rule.price_minor,
        currency=rule.currency,
        message_id=rule.message_id,
    )
    if not discount_bps or rule.price_minor is None or rule.currency is None:
        return offer
    terms = terms_for(
        list_minor=rule.price_minor, currency=rule.currency, discount_bps=discount_bps
    )
    if not terms.discount_minor:
        return offer
    return replace(offer, price_minor=terms.price_minor, list_minor=terms.list_minor)
