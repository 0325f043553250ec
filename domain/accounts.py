"""Accounts: roles, and what a handle may look like."""

from __future__ import annotations

import re
from enum import StrEnum

from domain.errors import Invalid

HANDLE_PATTERN = r"[a-z0-9](?:[a-z0-9]|[._-](?=[a-z0-9])){1,28}[a-z0-9]"
_HANDLE = re.compile(HANDLE_PATTERN)
_RESERVED = frozenset(
    {
        *("about", "abuse", "account", "accounts", "admin", "administrator", "api", "app", "auth"),
        *("billing", "blog", "cdn", "contact", "creator", "creators", "dashboard", "docs", "edit"),
        *("everyone", "explore", "fansworld", "feed", "ftp", "help", "home", "info", "legal"),
        *("login", "logout", "mail", "me", "media", "moderator", "mod", "notifications", "null"),
        *("official", "payments", "payouts", "postmaster", "posts", "privacy", "register", "root"),
        *("search", "security", "settings", "signin", "signup", "staff", "static", "status"),
        *("support", "system", "team", "terms", "undefined", "user", "users", "webmaster", "www"),
    }
)
"""Names that would pass for the platform itself, or that clash with paths of an app."""


class Role(StrEnum):
    """fan → creator → moderator → admin."""

    FAN = "fan"
    CREATOR = "creator"
    MODERATOR = "moderator"
    ADMIN = "admin"

    @property
    def is_staff(self) -> bool:
        return self in (Role.MODERATOR, Role.ADMIN)


def may_suspend(*, actor: Role, target: Role) -> bool:
    """Moderators keep order among those who are not staff; staff answers to admins."""
    return actor is Role.ADMIN or (actor is Role.MODERATOR and not target.is_staff)


class ApplicationState(StrEnum):
    """Of an application to be a creator; the last two are final."""

    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"


def check_handle(handle: str) -> None:
    """Is this a name that an account may have?

    3 to 30 characters of a-z, 0-9, `.`, `_` and `-`; begins and ends with a letter or digit;
    no two signs in a row; not reserved.

    Raises:
        Invalid: `handle_invalid` or `handle_reserved`.
    """
    if not _HANDLE.fullmatch(handle):
        raise Invalid(
            "A handle has 3 to 30 characters of a-z, 0-9, `.`, `_` and `-`, begins and ends "
            "with a letter or digit, and has no two signs in a row.",
            code="handle_invalid",
        )
    if re.sub(r"[._-]", "", handle) in _RESERVED:
        raise Invalid("This handle is reserved.", code="handle_reserved", handle=handle)
