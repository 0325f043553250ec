"""From what the access module opened to what this viewer is shown.

Dicts that agree with the models of `schemas.py` and are written as they are: a page of the feed
is the hottest read there is.
"""

from __future__ import annotations

from datetime import datetime

from starlette.responses import Response

from api import API_PREFIX
from api.answers import json_answer
from api.etags import etag_of
from api.media.addresses import urls_expire_at
from api.media.views import Json, access_json, rendition_json, seconds_of
from api.parts import Parts
from api.portraits import person_json
from domain.media.states import RenditionKind
from domain.paging import cursor_for
from infra.queries.access.posts import CarriedMedia, OpenedPost
from infra.queries.posts.comments import CommentRecord
from infra.queries.posts.lists import PostPage

_CLEAR = frozenset({RenditionKind.THUMBNAIL, RenditionKind.POSTER})


def post_answer(
    parts: Parts, opened: OpenedPost, *, now: datetime, is_new: bool = False
) -> Response:
    """`schemas.PostBody` with its ETag, and where a new one lies."""
    headers = {"etag": etag_of(opened.post.version)}
    if is_new:
        headers["location"] = f"{API_PREFIX}/posts/{opened.post.id}"
    author = person_json(parts, opened.author, now)
    return json_answer(
        _post_json(parts, opened, author, now=now, listed=False),
        status_code=201 if is_new else 200,
        headers=headers,
    )


def page_answer(parts: Parts, page: PostPage, *, now: datetime) -> Response:
    """`schemas.PostPage`; each media with one picture."""
    people = {each.author.id: each.author for each in page.posts}
    authors = {author_id: person_json(parts, who, now) for author_id, who in people.items()}
    return json_answer(
        {
            "data": [
                _post_json(parts, each, authors[each.author.id], now=now, listed=True)
                for each in page.posts
            ],
            "next_cursor": cursor_for(page.next) if page.next is not None else None,
            "has_more": page.next is not None,
        }
    )


def _post_json(
    parts: Parts, opened: OpenedPost, author: Json, *, now: datetime, listed: bool
) -> Json:
    post, allowed, managed = opened.post, opened.decision.allowed, opened.is_managed
    media = [carried_json(parts, each, allowed=allowed, listed=listed) for each in opened.media]
    return {
        "id": post.id,
        "author": author,
        "state": post.state,
        "audience": post.audience,
        "tier_id": post.tier_id,
        "price_minor": post.price_minor,
        "currency": post.currency,
        "access": access_json(opened.decision),
        "body": post.body if allowed else None,
        "media": media,
        "media_count": len(media),
        "urls_expire_at": urls_expire_at(parts, now) if media else None,
        "comments_enabled": post.comments_enabled,
        "like_count": post.like_count if allowed else None,
        "comment_count": post.comment_count if allowed else None,
        "liked": opened.liked,
        "created_at": post.created_at,
        "published_at": post.published_at,
        "edited_at": post.edited_at,
        "pinned_at": post.pinned_at,
        "manage": {
            "version": post.version,
            "publish_at": post.publish_at,
            "updated_at": post.updated_at,
            "taken_down_at": post.taken_down_at,
            "taken_down_reason": post.taken_down_reason,
        }
        if managed
        else None,
    }


def carried_json(parts: Parts, media: CarriedMedia, *, allowed: bool, listed: bool) -> Json:
    """`schemas.PostMediaBody`. In a list, what is open needs no blurred picture beside the clear
    one."""
    shown = media.renditions
    if allowed and listed:
        shown = tuple(each for each in shown if each.kind in _CLEAR)
    return {
        "id": media.id,
        "kind": media.kind,
        "state": media.state,
        "width": media.width,
        "height": media.height,
        "duration_seconds": seconds_of(media.duration_ms),
        "thumbhash": media.thumbhash,
        "title": media.title if allowed else None,
        "alt_text": media.alt_text if allowed else None,
        "renditions": [rendition_json(parts, each) for each in shown],
    }


def comment_json(parts: Parts, comment: CommentRecord, *, post_id: str, now: datetime) -> Json:
    """`schemas.CommentBody` of a comment."""
    return {
        "id": comment.id,
        "post_id": post_id,
        "author": person_json(parts, comment.author, now),
        "body": comment.body,
        "version": comment.version,
        "created_at": comment.created_at,
        "edited_at": comment.edited_at,
    }
