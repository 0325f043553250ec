"""What happens to posts by itself."""

from __future__ import annotations

from activities.posts.publishing import PostActivities

__all__ = ["PostActivities"]
