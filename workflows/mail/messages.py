"""What sending passes between workflow and activities. No address, no token: the mail's id.

Every field added later needs a default, so that old histories still replay.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MailOrder:
    mail_id: str


@dataclass(frozen=True)
class MailEnd:
    outcome: str
    """`sent`, `refused` for good by the mail server, `expired` with its link, `skipped` by an
    operator, `gone` with its account, or `given_up` by an earlier run."""
    reason: str | None = None


@dataclass(frozen=True)
class GiveUpMail:
    mail_id: str
    reason: str
