"""What is written to posts. Every function runs inside the caller's transaction.

Locks are taken in one order: the post, then its media by id. Whoever makes a media public
locks the media, and so sees every post that carries it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from domain.accounts import Role
from domain.errors import Conflict, Invalid
from domain.media.states import MediaState, Purpose, Visibility
from domain.posts import PINNED_MAX, Audience, PostState, Terms
from infra.models import (
    Creator,
    CreatorMoney,
    Media,
    MessageMedia,
    Post,
    PostLike,
    PostMedia,
    Tier,
    User,
)
from infra.queries.access.posts import no_such_post

_UNUSABLE = frozenset(
    {
        MediaState.REJECTED,
        MediaState.FAILED,
        MediaState.CANCELLED,
        MediaState.EXPIRED,
        MediaState.DELETED,
    }
)


async def lock_own_post(session: AsyncSession, post_id: str, *, owner_id: str) -> Post:
    """The row, locked, as it stands now.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    post = await session.get(Post, post_id, with_for_update=True)
    if post is None or post.creator_id != owner_id or post.state == PostState.DELETED:
        raise no_such_post(post_id)
    return post


def terms_of(post: Post) -> Terms:
    return Terms(Audience(post.audience), post.tier_id, post.price_minor, post.currency)


async def check_terms(session: AsyncSession, terms: Terms, *, owner_id: str) -> None:
    """May this creator publish on these terms?

    Raises:
        Invalid: as `Terms.check`; `tier_unknown`: they have no such tier, or not any more.
    """
    agreed = None
    if terms.price_minor is not None:
        wanted_most = select(CreatorMoney.post_price_minor_max)
        agreed = await session.scalar(wanted_most.where(CreatorMoney.creator_id == owner_id))
    terms.check(price_minor_max=agreed)
    if terms.tier_id is None:
        return
    wanted = select(Tier.id).where(
        Tier.id == terms.tier_id, Tier.creator_id == owner_id, Tier.archived_at.is_(None)
    )
    if await session.scalar(wanted) is None:
        raise Invalid("You have no such tier.", code="tier_unknown", tier_id=terms.tier_id)


async def carry_media(
    session: AsyncSession, post: Post, media_ids: Sequence[str], *, audience: Audience
) -> None:
    """Let the post carry these media in this order, and no others.

    Raises:
        Invalid: `media_repeated`, `media_unknown` or `media_unfit`.
        Conflict: `media_not_usable`, `media_taken_down` or `media_is_public`.
    """
    if len(set(media_ids)) != len(media_ids):
        raise Invalid("A post carries each media once.", code="media_repeated")
    found = {each.id: each for each in await lock_media(session, media_ids)}
    for media_id in media_ids:
        media = found.get(media_id)
        if media is None or media.owner_id != post.creator_id:
            raise Invalid("You have no such media.", code="media_unknown", media_id=media_id)
        _require_fit(media)
    await require_not_taken_down(session, media_ids)
    require_not_public(found.values(), audience)
    await session.execute(delete(PostMedia).where(PostMedia.post_id == post.id))
    if media_ids:
        rows = [
            {"post_id": post.id, "media_id": media_id, "position": position}
            for position, media_id in enumerate(media_ids)
        ]
        await session.execute(insert(PostMedia), rows)
    post.media_count = len(media_ids)


async def require_not_taken_down(session: AsyncSession, media_ids: Sequence[str]) -> None:
    """What staff hid is not shown again in another post or a message.

    Raises:
        Conflict: `media_taken_down`.
    """
    taken_down = (
        select(PostMedia.media_id)
        .join(Post, Post.id == PostMedia.post_id)
        .where(PostMedia.media_id.in_(media_ids), Post.taken_down_at.is_not(None))
        .limit(1)
    )
    media_id = await session.scalar(taken_down)
    if media_id is not None:
        raise Conflict(
            "This media was taken down with a post.", code="media_taken_down", media_id=media_id
        )


async def require_carried_fit(session: AsyncSession, post: Post, audience: Audience) -> None:
    """May the post be for this audience, with the media that it carries?

    Raises:
        Conflict: `media_is_public`.
    """
    ids = await session.scalars(select(PostMedia.media_id).where(PostMedia.post_id == post.id))
    require_not_public(await lock_media(session, ids.all()), audience)


async def lock_media(session: AsyncSession, media_ids: Sequence[str]) -> Sequence[Media]:
    """Locked against a change of visibility or a deletion, until the transaction ends."""
    wanted = select(Media).where(Media.id.in_(media_ids)).order_by(Media.id)
    locked = wanted.with_for_update(read=True).execution_options(populate_existing=True)
    return (await session.scalars(locked)).all()


def _require_fit(media: Media) -> None:
    state = MediaState(media.state)
    if media.purpose != Purpose.POST:
        raise Invalid(
            "It was uploaded for something else.",
            code="media_unfit",
            media_id=media.id,
            purpose=media.purpose,
        )
    if state in _UNUSABLE:
        raise Conflict(
            "This media can't be shown.",
            code="media_not_usable",
            media_id=media.id,
            state=media.state,
        )


def require_not_public(media: Iterable[Media], audience: Audience) -> None:
    """What anybody may see by itself can't be kept for some by a post or a message.

    Raises:
        Conflict: `media_is_public`.
    """
    if audience is Audience.PUBLIC:
        return
    for each in media:
        if each.visibility == Visibility.PUBLIC:
            raise Conflict(
                "A public media in what is not for everybody would be seen by everybody.",
                code="media_is_public",
                media_id=each.id,
            )


async def require_in_public_posts_only(session: AsyncSession, media_id: str) -> None:
    """May a locked media become public?

    Raises:
        Conflict: `media_is_public`; a message or a post that is not public carries it.
    """
    sent = select(MessageMedia.message_id).where(MessageMedia.media_id == media_id).limit(1)
    if await session.scalar(sent) is not None:
        raise Conflict("It was sent in a message; everybody would see it.", code="media_is_public")
    closed = (
        select(Post.id)
        .join(PostMedia, PostMedia.post_id == Post.id)
        .where(
            PostMedia.media_id == media_id,
            Post.state != PostState.DELETED,
            Post.audience != Audience.PUBLIC,
        )
        .limit(1)
    )
    post_id = await session.scalar(closed)
    if post_id is not None:
        raise Conflict(
            "A post that is not public carries it; everybody would see it.",
            code="media_is_public",
            post_id=post_id,
        )


def may_publish(author: User) -> bool:
    """Is this a creator whose account is open?"""
    is_open = author.deleted_at is None and author.suspended_at is None
    return is_open and author.role == Role.CREATOR


def require_content(session: Session, post: Post) -> None:
    """Is there anything to be shown?

    Raises:
        Conflict: `post_empty`; no text, and no media that can be shown now or later.
    """
    if post.body:
        return
    carried = (
        select(Media.id)
        .join(PostMedia, PostMedia.media_id == Media.id)
        .where(PostMedia.post_id == post.id, Media.state.not_in(_UNUSABLE))
    )
    if not session.scalar(select(carried.exists())):
        raise Conflict("A post needs a text or a media.", code="post_empty")


def publish(session: Session, post: Post, *, now: datetime) -> None:
    """Show a locked draft or scheduled post from now on.

    Raises:
        Conflict: `post_empty`.
    """
    require_content(session, post)
    post.state, post.published_at, post.publish_at = PostState.PUBLISHED, now, None
    touch(post, now)


def unschedule(post: Post, *, now: datetime) -> None:
    """Make a locked scheduled post a draft again."""
    post.state, post.publish_at = PostState.DRAFT, None
    touch(post, now)


def touch(post: Post, now: datetime) -> None:
    """Count an edit of a locked post."""
    post.version += 1
    post.updated_at = now


async def set_pinned(session: AsyncSession, post: Post, *, pinned: bool, now: datetime) -> None:
    """Hold a locked post above the creator's others, or not any more.

    Raises:
        Conflict: `not_published` or `too_many_pinned`.
    """
    if pinned == (post.pinned_at is not None):
        return
    if pinned:
        if post.state != PostState.PUBLISHED:
            raise Conflict("It is not published.", code="not_published", state=post.state)
        # Two posts pinned at once would each find room.
        await session.execute(
            select(Creator.user_id).where(Creator.user_id == post.creator_id).with_for_update()
        )
        held = await session.scalar(
            select(func.count()).where(
                Post.creator_id == post.creator_id,
                Post.pinned_at.is_not(None),
                Post.state == PostState.PUBLISHED,
            )
        )
        if held is not None and held >= PINNED_MAX:
            raise Conflict(
                f"Up to {PINNED_MAX} posts can be pinned.", code="too_many_pinned", limit=PINNED_MAX
            )
    post.pinned_at = now if pinned else None
    touch(post, now)


async def set_liked(
    session: AsyncSession, *, post_id: str, user_id: str, liked: bool, now: datetime
) -> int:
    """Like a published post, or not any more; as often as one likes. Returns its likes.

    The row of the like decides whether it counts, so the count is exact however many come at
    once.

    Raises:
        Conflict: `not_published`.
    """
    if liked:
        wanted = (
            postgresql.insert(PostLike)
            .values(post_id=post_id, user_id=user_id, created_at=now)
            .on_conflict_do_nothing()
            .returning(PostLike.post_id)
        )
        change = len((await session.execute(wanted)).all())
    else:
        gone = (
            delete(PostLike)
            .where(PostLike.post_id == post_id, PostLike.user_id == user_id)
            .returning(PostLike.post_id)
        )
        change = -len((await session.execute(gone)).all())
    counted = await session.execute(
        update(Post)
        .where(Post.id == post_id, Post.state == PostState.PUBLISHED)
        .values(like_count=Post.like_count + change)
        .returning(Post.like_count)
    )
    row = counted.first()
    if row is None:
        raise Conflict("It is not published.", code="not_published")
    return int(row[0])
