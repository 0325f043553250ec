"""Addresses of renditions. Takes what the access module opened, so nothing else gets one."""

from __future__ import annotations

from datetime import datetime, timedelta

from api.parts import Parts
from domain.media.states import RenditionKind
from infra.queries.access import OpenedMedia, StoredRendition
from infra.storage import signed_at

_STREAMED = frozenset({RenditionKind.VIDEO, RenditionKind.AUDIO})
"""Reached through playlists; their `object_key` is a prefix and no object."""
_SHEETS = frozenset({RenditionKind.STORYBOARD, RenditionKind.STORYBOARD_VTT})
"""Reached through the storyboard's WebVTT."""


def urls_expire_at(parts: Parts, now: datetime) -> datetime:
    """Until when addresses that are issued `now` hold."""
    ttl_seconds = parts.settings.playback_url_ttl_seconds
    return signed_at(now, ttl_seconds=ttl_seconds) + timedelta(seconds=ttl_seconds)


def rendition_url(parts: Parts, rendition: StoredRendition) -> str | None:
    """The address of one rendition of an `OpenedMedia`; None where it is streamed.

    Objects in the public bucket (previews, teasers) have lasting addresses that caches may
    keep; everything else is signed for `playback_url_ttl_seconds`.
    """
    if rendition.kind in _STREAMED or rendition.kind in _SHEETS:
        return None
    return object_url(
        parts,
        bucket=rendition.bucket,
        key=rendition.object_key,
        ttl_seconds=parts.settings.playback_url_ttl_seconds,
    )


def object_url(parts: Parts, *, bucket: str, key: str, ttl_seconds: int) -> str:
    if bucket == parts.storage.public:
        return parts.storage.public_url(key)
    return parts.storage.presign_get(bucket, key, ttl_seconds=ttl_seconds)


def streamed(opened: OpenedMedia) -> list[StoredRendition]:
    """HLS renditions of a media that the viewer may play."""
    return [each for each in opened.renditions if each.kind in _STREAMED]


def storyboard(opened: OpenedMedia) -> StoredRendition | None:
    """The storyboard's WebVTT, where there is one and the viewer may see it."""
    for each in opened.renditions:
        if each.kind is RenditionKind.STORYBOARD_VTT:
            return each
    return None
