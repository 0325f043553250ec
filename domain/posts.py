"""Posts: their states, and whom they are for."""

from __future__ import annotations

from enum import StrEnum


class PostState(StrEnum):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    DELETED = "deleted"


class Audience(StrEnum):
    """Whom a published post is open to; its owner and staff see it anyway."""

    PUBLIC = "public"
    FOLLOWERS = "followers"
    """Subscribers count as followers."""
    SUBSCRIBERS = "subscribers"
    TIER = "tier"
    """Subscribers of a tier, or of a higher one."""
    PAID = "paid"
    """Who unlocked it; where a tier is named, its subscribers too."""
