"""What authors do to their posts, each in one transaction; the post's run hears of it after."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from api.auth.callers import SignedIn
from api.etags import require_match
from api.parts import Parts
from api.posts import schemas
from api.posts.starting import begin_publishing, end_publishing
from domain.errors import AccessDenied, Conflict, Invalid
from domain.posts import Audience, PostState, Terms, check_change_of_terms, check_publish_at
from infra.db import async_transaction
from infra.ids import new_id
from infra.models import AuditEntry, Post, User
from infra.queries import audit
from infra.queries.callers import load_caller
from infra.queries.posts import writing

_TERMS = ("audience", "tier_id", "price_minor", "currency")


@dataclass(frozen=True)
class OwnPost:
    """A locked post in the transaction that changes it, and its author."""

    session: AsyncSession
    post: Post
    author: User


@asynccontextmanager
async def own_post(
    parts: Parts, caller: SignedIn, post_id: str, *, even_taken_down: bool = False
) -> AsyncIterator[OwnPost]:
    """One transaction on a post of the caller's.

    Args:
        even_taken_down: whether it may be done to a post that staff took down.

    Raises:
        NotFound: it is somebody else's, or nobody's.
        Conflict: `post_taken_down`.
        Unauthenticated: the account or the session is over.
    """
    async with async_transaction(parts.engine) as session:
        author = await load_caller(session, caller.caller)
        post = await writing.lock_own_post(session, post_id, owner_id=author.id)
        if post.state == PostState.TAKEN_DOWN and not even_taken_down:
            raise Conflict(
                "Our staff took it down; it can only be deleted.",
                code="post_taken_down",
                reason=post.taken_down_reason,
            )
        yield OwnPost(session, post, author)


async def create_post(parts: Parts, caller: SignedIn, wish: schemas.PostCreate) -> str:
    """Write a post, and publish or schedule it where that is wished; returns its id.

    Raises:
        AccessDenied: `creators_only`.
        Invalid: the terms, the media or the time break a rule.
        Conflict: `media_not_usable`, `media_is_public` or `post_empty`.
    """
    now = parts.now()
    terms = Terms(wish.audience, wish.tier_id, wish.price_minor, wish.currency)
    if (wish.publish_at is not None) != (wish.state == "scheduled"):
        raise Invalid(
            "`publish_at` goes with the state `scheduled`, and only with it.",
            code="publish_at_unfit",
        )
    async with async_transaction(parts.engine) as session:
        author = await load_caller(session, caller.caller)
        _require_creator(author)
        await writing.check_terms(session, terms, owner_id=author.id)
        post = Post(
            id=new_id(),
            creator_id=author.id,
            state=PostState.DRAFT.value,
            body=wish.body,
            comments_enabled=wish.comments_enabled,
            version=1,
            created_at=now,
            updated_at=now,
        )
        _set_terms(post, terms)
        session.add(post)
        await session.flush()
        await writing.carry_media(session, post, wish.media_ids, audience=terms.audience)
        if wish.state == "published":
            await session.run_sync(writing.publish, post, now=now)
        elif wish.publish_at is not None:
            await _schedule(session, post, wish.publish_at, now=now)
    if post.state == PostState.SCHEDULED:
        await begin_publishing(parts, post)
    return post.id


async def edit_post(
    parts: Parts,
    caller: SignedIn,
    post_id: str,
    patch: schemas.PostPatch,
    *,
    if_match: str,
    request_id: str | None,
) -> None:
    """Change what the patch names.

    Raises:
        NotFound: it is not the caller's.
        PreconditionFailed: it was edited meanwhile.
        Invalid: the terms or the media break a rule.
        Conflict: `published_media_stay`, `published_terms_stay`, `media_not_usable`,
            `media_is_public` or `post_empty`.
    """
    changes = patch.model_dump(exclude_unset=True)
    now = parts.now()
    async with own_post(parts, caller, post_id) as own:
        session, post = own.session, own.post
        require_match(if_match, post.version)
        was_published = post.state == PostState.PUBLISHED
        if was_published and "media_ids" in changes:
            raise Conflict("A published post keeps its media.", code="published_media_stay")
        old = writing.terms_of(post)
        new = _changed_terms(old, changes)
        if new != old:
            await _change_terms(own, old, new, request_id=request_id)
        post.body = changes.get("body", post.body)
        post.comments_enabled = changes.get("comments_enabled", post.comments_enabled)
        if "media_ids" in changes:
            ids = changes["media_ids"]
            await writing.carry_media(session, post, ids, audience=new.audience)
        elif new.audience is not old.audience:
            await writing.require_carried_fit(session, post, new.audience)
        if post.state != PostState.DRAFT:
            await session.run_sync(writing.require_content, post)
        if was_published:
            post.edited_at = now
        writing.touch(post, now)


async def publish_post(parts: Parts, caller: SignedIn, post_id: str) -> None:
    """Show a draft or scheduled post at once.

    Raises:
        NotFound: it is not the caller's.
        AccessDenied: `creators_only`.
        Conflict: `already_published` or `post_empty`.
    """
    async with own_post(parts, caller, post_id) as own:
        _require_creator(own.author)
        _require_unpublished(own.post)
        was_scheduled = own.post.state == PostState.SCHEDULED
        await own.session.run_sync(writing.publish, own.post, now=parts.now())
    if was_scheduled:
        await end_publishing(parts, own.post)


async def schedule_post(parts: Parts, caller: SignedIn, post_id: str, publish_at: datetime) -> None:
    """Have a draft published at that moment, or a scheduled post at another one.

    Raises:
        NotFound: it is not the caller's.
        AccessDenied: `creators_only`.
        Invalid: `publish_at_past` or `publish_at_too_far`.
        Conflict: `already_published` or `post_empty`.
    """
    async with own_post(parts, caller, post_id) as own:
        _require_creator(own.author)
        _require_unpublished(own.post)
        await _schedule(own.session, own.post, publish_at, now=parts.now())
    await begin_publishing(parts, own.post)


async def unschedule_post(parts: Parts, caller: SignedIn, post_id: str) -> None:
    """Make a scheduled post a draft again; a draft stays one.

    Raises:
        NotFound: it is not the caller's.
        Conflict: `already_published`.
    """
    async with own_post(parts, caller, post_id) as own:
        _require_unpublished(own.post)
        was_scheduled = own.post.state == PostState.SCHEDULED
        if was_scheduled:
            writing.unschedule(own.post, now=parts.now())
    if was_scheduled:
        await end_publishing(parts, own.post)


async def delete_post(parts: Parts, caller: SignedIn, post_id: str) -> None:
    """Hide a post from everybody at once. Its media stay.

    Raises:
        NotFound: it is not the caller's.
    """
    now = parts.now()
    async with own_post(parts, caller, post_id, even_taken_down=True) as own:
        was_scheduled = own.post.state == PostState.SCHEDULED
        own.post.state, own.post.publish_at = PostState.DELETED, None
        own.post.deleted_at, own.post.pinned_at = now, None
        writing.touch(own.post, now)
    if was_scheduled:
        await end_publishing(parts, own.post)


async def _schedule(
    session: AsyncSession, post: Post, publish_at: datetime, *, now: datetime
) -> None:
    check_publish_at(publish_at, now)
    await session.run_sync(writing.require_content, post)
    post.state, post.publish_at = PostState.SCHEDULED, publish_at
    writing.touch(post, now)


def _changed_terms(old: Terms, changes: dict[str, Any]) -> Terms:
    """A new audience begins without the tier and price of the old one."""
    audience = Audience(changes.get("audience", old.audience))
    kept = old if audience is old.audience else Terms(audience)
    return Terms(*(changes.get(name, getattr(kept, name)) for name in _TERMS))


async def _change_terms(own: OwnPost, old: Terms, new: Terms, *, request_id: str | None) -> None:
    """Prices of published posts are written down: people pay what stood there when they paid."""
    await writing.check_terms(own.session, new, owner_id=own.author.id)
    is_published = own.post.state == PostState.PUBLISHED
    if is_published:
        check_change_of_terms(old, new)
    _set_terms(own.post, new)
    if is_published and new.price_minor != old.price_minor:
        entry = AuditEntry(
            actor_id=own.author.id,
            actor_name=own.author.handle,
            action="post.price_changed",
            subject_type="post",
            subject_id=own.post.id,
            request_id=request_id,
            detail={
                "from_minor": old.price_minor,
                "to_minor": new.price_minor,
                "currency": new.currency,
                "version": own.post.version + 1,
            },
        )
        await own.session.run_sync(audit.record, entry)


def _set_terms(post: Post, terms: Terms) -> None:
    post.audience, post.tier_id = terms.audience, terms.tier_id
    post.price_minor, post.currency = terms.price_minor, terms.currency


def _require_creator(author: User) -> None:
    if not writing.may_publish(author):
        raise AccessDenied("Only creators can publish.", code="creators_only")


def _require_unpublished(post: Post) -> None:
    if post.state == PostState.PUBLISHED:
        raise Conflict("It is published already.", code="already_published")
