"""Posts behind the door: decided for up to a hundred at once, opened one at a time or by pages.

What shows a post takes an `OpenedPost`, which only this module makes and only after a decision.
The statements are in `posts_sql.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.access import (
    HIDDEN,
    Caller,
    Decision,
    Grant,
    Reason,
    Standing,
    Subject,
    Viewer,
    decide,
    post_subject,
)
from domain.accounts import Role
from domain.errors import NotFound, PaymentRequired
from domain.media.states import MediaState, RenditionKind
from domain.posts import Audience, PostState
from infra.queries.access.gathering import (
    NO_STANDING,
    OWNER_WIDTH,
    item_grants,
    owner_from,
    rule_from,
    viewer_from,
    viewer_params,
)
from infra.queries.access.posts_sql import (
    DECIDE_POSTS_SQL,
    DECIDED_WIDTH,
    JUDGE_POST_SQL,
    OPEN_POST_SQL,
)
from infra.queries.access.stored import StoredRendition
from infra.queries.people import PERSON_WIDTH, Person, person_from
from infra.reads import ReadPool, Row


@dataclass(frozen=True, slots=True)
class PostRecord:
    """A post as its row says. Times in UTC."""

    id: str
    creator_id: str
    state: str
    audience: str
    tier_id: str | None
    price_minor: int | None
    currency: str | None
    body: str
    comments_enabled: bool
    like_count: int
    comment_count: int
    version: int
    created_at: datetime
    updated_at: datetime
    publish_at: datetime | None
    published_at: datetime | None
    edited_at: datetime | None
    pinned_at: datetime | None
    taken_down_at: datetime | None
    taken_down_reason: str | None


@dataclass(frozen=True, slots=True)
class CarriedMedia:
    """A media of a post, with those of its renditions that the decision lets the viewer fetch."""

    id: str
    kind: str
    state: str
    width: int | None
    height: int | None
    duration_ms: int | None
    thumbhash: str | None
    title: str | None
    alt_text: str | None
    renditions: tuple[StoredRendition, ...]


@dataclass(frozen=True, slots=True)
class OpenedPost:
    """A post that the viewer may know of, with what was decided about its content."""

    viewer: Viewer
    post: PostRecord
    decision: Decision
    author: Person
    media: tuple[CarriedMedia, ...]
    liked: bool

    @property
    def id(self) -> str:
        return self.post.id

    @property
    def owner_id(self) -> str:
        return self.post.creator_id

    @property
    def state(self) -> PostState:
        return PostState(self.post.state)

    @property
    def audience(self) -> Audience:
        return Audience(self.post.audience)

    @property
    def is_managed(self) -> bool:
        """The viewer owns it, or is staff."""
        return self.decision.reason in (Reason.OWNER, Reason.STAFF)


@dataclass(frozen=True, slots=True)
class JudgedPost:
    """A post with its decision and nothing of its content."""

    viewer: Viewer
    id: str
    owner_id: str
    state: PostState
    audience: Audience
    decision: Decision
    rest: Row = ()
    """What the statement asked for beside the decision."""

    def require_allowed(self) -> None:
        """Refuse a viewer for whom it is locked.

        Raises:
            PaymentRequired: with the offers that would open it.
        """
        if not self.decision.allowed:
            raise PaymentRequired(
                "This post is locked. One of the offers opens it.", offers=self.decision.offers
            )


async def decide_posts(
    reads: ReadPool, *, caller: Caller, post_ids: Sequence[str], now: datetime
) -> list[Decision]:
    """One decision for each id, in order, by one statement.

    What does not exist is `HIDDEN`, as is what the viewer may not know of.

    Raises:
        Unauthenticated: the account or the session is over.
    """
    params = {**viewer_params(caller, now), "post_ids": list(post_ids)}
    rows = await reads.fetch_all(DECIDE_POSTS_SQL, params)
    judge = _Judge(viewer_from(caller, rows[0][0]), now)
    return [judge.decide(row) for row in rows[: len(post_ids)]]  # For no ids there is one row.


async def open_post(reads: ReadPool, *, caller: Caller, post_id: str, now: datetime) -> OpenedPost:
    """A post with its media and their renditions.

    Raises:
        NotFound: there is none, or the viewer may not know of it.
        Unauthenticated: the account or the session is over.
    """
    rows = await reads.fetch_all(OPEN_POST_SQL, {**viewer_params(caller, now), "post_id": post_id})
    page = open_page(rows, caller=caller, now=now)
    if not page.posts:
        raise no_such_post(post_id)
    return page.posts[0]


async def judge_post(
    reads: ReadPool,
    sql: bytes,
    *,
    caller: Caller,
    now: datetime,
    params: Mapping[str, Any],
    as_person: bool = False,
) -> list[JudgedPost]:
    """Rows of a statement of `judging_sql` about one post, hidden ones too; none if there is no
    such post.

    Args:
        as_person: staff are judged as anybody is. Their office lets them look, not take part.
    """
    rows = await reads.fetch_all(sql, {**viewer_params(caller, now), **params})
    viewer = viewer_from(caller, rows[0][0])
    judge = _Judge(as_fan(viewer) if as_person else viewer, now)
    return [
        JudgedPost(
            viewer=viewer,
            id=row[1],
            owner_id=row[2],
            state=PostState(row[3]),
            audience=Audience(row[4]),
            decision=judge.decide(row[:DECIDED_WIDTH]),
            rest=row[DECIDED_WIDTH:],
        )
        for row in rows
        if row[1] is not None
    ]


async def open_to_take_part(
    reads: ReadPool, *, caller: Caller, post_id: str, now: datetime
) -> JudgedPost:
    """A post that is open to the caller as a person, so that they may like it or comment.

    Raises:
        NotFound: there is none, or the viewer may not know of it.
        PaymentRequired: it is locked.
        Unauthenticated: the account or the session is over.
    """
    judged = await judge_as_person(reads, caller=caller, post_id=post_id, now=now)
    judged.require_allowed()
    return judged


async def judge_as_person(
    reads: ReadPool, *, caller: Caller, post_id: str, now: datetime
) -> JudgedPost:
    """A post of which the caller may know as a person, open to them or locked.

    Raises:
        NotFound: there is none, or the viewer may not know of it.
        Unauthenticated: the account or the session is over.
    """
    found = await judge_post(
        reads, JUDGE_POST_SQL, caller=caller, now=now, params={"post_id": post_id}, as_person=True
    )
    if not found or found[0].decision.hidden:
        raise no_such_post(post_id)
    return found[0]


@dataclass(frozen=True, slots=True)
class OpenedPage:
    """Posts that the viewer may know of, in the order of the statement."""

    posts: list[OpenedPost]
    owner_hidden: bool
    """The list is of one owner, of whom the viewer may not know."""


def open_page(
    rows: Sequence[Row], *, caller: Caller, now: datetime, as_person: bool = False
) -> OpenedPage:
    """What the rows of a statement of `page_sql` let this viewer see.

    Raises:
        Unauthenticated: the account or the session is over.
    """
    viewer = viewer_from(caller, rows[0][0])
    judge = _Judge(as_fan(viewer) if as_person else viewer, now)
    authors: dict[str, Person] = {}
    posts = []
    for row in rows:
        post_id, owner_id = row[1], row[2]
        if owner_id is not None and owner_id not in authors:
            authors[owner_id] = person_from(row[-PERSON_WIDTH - 2 : -2])
        decision = judge.decide(row)
        if post_id is None or decision.reason is Reason.HIDDEN:
            continue
        state, audience, tier_id, _, price_minor, currency = row[3:9]
        posts.append(
            OpenedPost(
                viewer=viewer,
                post=PostRecord(
                    post_id,
                    owner_id,
                    state,
                    audience,
                    tier_id,
                    price_minor,
                    currency,
                    *row[DECIDED_WIDTH : -PERSON_WIDTH - 2],
                ),
                decision=decision,
                author=authors[owner_id],
                media=carried_media(row[-1], decision),
                liked=row[-2],
            )
        )
    return OpenedPage(posts, owner_hidden=judge.hides_owner(rows[0][2]))


def no_such_post(post_id: str) -> NotFound:
    return NotFound("There is no such post.", code="post_not_found", post_id=post_id)


class _Judge:
    """Decides row by row of one statement, and remembers what rows have in common."""

    def __init__(self, viewer: Viewer, now: datetime) -> None:
        self._viewer = viewer
        self._now = now
        self._owners: dict[str, tuple[Standing | None, list[Grant]]] = {}
        self._decided: dict[Row, Decision] = {}

    def decide(self, row: Row) -> Decision:
        """The decision on a row that begins with `_DECIDED_BY`."""
        post_id, owner_id = row[1], row[2]
        if owner_id is not None and owner_id not in self._owners:
            columns = row[9 : 9 + OWNER_WIDTH]
            self._owners[owner_id] = owner_from(columns)
        if post_id is None:
            return HIDDEN
        if row[9 + OWNER_WIDTH] or row[4] == Audience.PAID:
            return self._judge(row)
        # Neither a right of its own nor an offer that names it tells it from others like it.
        alike = row[2:7]
        decision = self._decided.get(alike)
        if decision is None:
            decision = self._decided[alike] = self._judge(row)
        return decision

    def _judge(self, row: Row) -> Decision:
        _, post_id, owner_id, state, audience, tier_id, rank, price_minor, currency = row[:9]
        standing, grants = self._owners[owner_id]
        if standing is None and not self._viewer.role.is_staff:
            return HIDDEN
        subject = post_subject(
            owner_id=owner_id,
            state=PostState(state),
            rule=rule_from(post_id, audience, tier_id, rank, price_minor, currency),
        )
        own = item_grants(row[9 + OWNER_WIDTH : DECIDED_WIDTH])
        return decide(self._viewer, subject, [*grants, *own], self._now, standing or NO_STANDING)

    def hides_owner(self, owner_id: str | None) -> bool:
        """Whether the viewer may not even know of this owner."""
        standing, _ = self._owners.get(owner_id or "", (None, []))
        if owner_id is None or standing is None:
            return owner_id is None or not self._viewer.role.is_staff
        open_to_all = Subject(owner_id, (rule_from("", Audience.PUBLIC, None, None, None, None),))
        return decide(self._viewer, open_to_all, (), self._now, standing).hidden


def as_fan(viewer: Viewer) -> Viewer:
    """The viewer without their office."""
    return Viewer(viewer.user_id, Role.FAN, viewer.country)


def carried_media(rows: list[list[Any]] | None, decision: Decision) -> tuple[CarriedMedia, ...]:
    """What `carried` found. What is not ready to be shown is there for its owner and staff only."""
    if not rows:
        return ()
    manages = decision.reason in (Reason.OWNER, Reason.STAFF)
    return tuple(
        CarriedMedia(*[*row[:-1], _fetchable(row[-1], allowed=decision.allowed)])
        for row in rows
        if manages or MediaState(row[2]).is_servable
    )


def _fetchable(rows: list[list[Any]] | None, *, allowed: bool) -> tuple[StoredRendition, ...]:
    kinds = ((RenditionKind(row[0]), row) for row in rows or ())
    return tuple(
        StoredRendition(*[kind, *row[1:], {}])
        for kind, row in kinds
        if allowed or kind.is_public_preview
    )
