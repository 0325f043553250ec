"""The only door to gated content.

One statement gathers who asks, what they ask for and which rights they hold, for up to a
hundred subjects; `domain.access.decide` judges each.
"""

from infra.queries.access.media import (
    DECIDE_MANY_SQL,
    OPEN_SQL,
    OpenedMedia,
    decide_many,
    open_for_key,
    open_for_playlist,
    open_media,
    open_media_row,
)
from infra.queries.access.remembered import RememberedDecisions
from infra.queries.access.stored import MEDIA_COLUMNS, MediaRecord, StoredRendition

__all__ = [
    "DECIDE_MANY_SQL",
    "MEDIA_COLUMNS",
    "OPEN_SQL",
    "MediaRecord",
    "OpenedMedia",
    "RememberedDecisions",
    "StoredRendition",
    "decide_many",
    "open_for_key",
    "open_for_playlist",
    "open_media",
    "open_media_row",
]
