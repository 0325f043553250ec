"""What a letter is made of: its parts, where its links lead, and what it is made from."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from domain.auth import MailKind

VERIFY_PATH = "/verify-email"
CHANGE_EMAIL_PATH = "/change-email"
RESET_PATH = "/reset-password"
LOGIN_PATH = "/login"
FORGOTTEN_PATH = "/forgot-password"
SECURITY_PATH = "/settings/security"
POST_PATH = "/posts"
SUBSCRIPTIONS_PATH = "/settings/subscriptions"
PAYOUTS_PATH = "/settings/payouts"
PURCHASES_PATH = "/purchases"
EARNINGS_PATH = "/earnings"


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    parts: tuple[str | Link, ...]
    """Paragraphs and links, in order."""

    def as_text(self) -> str:
        lines = [
            f"{part.label}:\n{part.url}" if isinstance(part, Link) else part for part in self.parts
        ]
        return "\n\n".join(lines) + "\n"

    def as_html(self) -> str:
        body = "\n".join(_html_of(part) for part in self.parts)
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<title>{html.escape(self.subject)}</title></head>\n"
            '<body style="font: 16px/1.5 sans-serif; max-width: 34em; margin: 2em auto">\n'
            f"{body}\n</body></html>\n"
        )


@dataclass(frozen=True, slots=True)
class MailFacts:
    """What a mail's row and its reader's account say."""

    mail_id: str
    kind: MailKind
    handle: str
    created_at: datetime
    expires_at: datetime | None
    facts: Mapping[str, Any]
    """Of a new password: `invitation`, where the account was made for its reader.
    Of a security notice: `event` (a `SecurityEvent`), and where known `device` and `ip`.
    Of a decision on an application: `state`, and with a rejection `reason` and `again_at`.
    Of a post that was taken down or is shown again: its `state`, `post_id` and the `reason`.
    Of a refund: its `amount`, its `state` (`made` or `failed`) and whose sale it was (`creator`);
    of a refunded sale its `amount`; of a dispute its `amount` and `state`: `opened`, `won` or
    `lost`.
    Of a payout: its `amount` as people write it, and where it failed what that means (`why`).
    Of an account that was shut or opened again: its `state`, `suspended` or `reinstated`, and
    the `reason`.
    Of a subscription: see `domain/subscriptions/notices.py`."""


def moment_text(moment: datetime) -> str:
    """As people write it, in words that no country reads the other way round."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def _html_of(part: str | Link) -> str:
    if isinstance(part, Link):
        return f'<p><a href="{html.escape(part.url)}">{html.escape(part.label)}</a></p>'
    return f"<p>{html.escape(part).replace(chr(10), '<br>')}</p>"
