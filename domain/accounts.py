"""Roles: fan → creator → moderator → admin."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    FAN = "fan"
    CREATOR = "creator"
    MODERATOR = "moderator"
    ADMIN = "admin"

    @property
    def is_staff(self) -> bool:
        return self in (Role.MODERATOR, Role.ADMIN)
