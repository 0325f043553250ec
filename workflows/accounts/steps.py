"""Side effects that workflows of accounts ask for. Implementations: `activities/accounts/`."""

from __future__ import annotations

from workflows.accounts.messages import AccountsSwept
from workflows.declarations import declare


@declare
def sweep_accounts() -> AccountsSwept:
    """Start mails that a crash left unsent, and remove what has had its time."""
    raise NotImplementedError
