"""What happens to accounts by itself."""

from __future__ import annotations

from activities.accounts.sweeping import AccountActivities

__all__ = ["AccountActivities"]
