"""Sending mails."""

from __future__ import annotations

from activities.mail.sending import SendActivities

__all__ = ["SendActivities"]
