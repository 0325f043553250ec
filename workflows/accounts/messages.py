"""What the sweep of accounts reports. Fields added later need defaults."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AccountsSwept:
    started_mails: int = 0
    removed_accounts: int = 0
    removed_mails: int = 0
    removed_challenges: int = 0
    removed_sessions: int = 0
    removed_refresh_tokens: int = 0
    removed_idempotency_keys: int = 0
