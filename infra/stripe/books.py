"""Stripe's own books, and what it says of changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from infra.stripe import parsing
from infra.stripe.asking import Asking
from infra.stripe.objects import Balance, BalanceTransaction, Event


class Books(Asking):
    def balance(self, *, account: str | None = None) -> Balance:
        """What it holds for the platform, or for a connected account."""
        return parsing.balance(self._calls.read("/balance", account=account))

    def balance_transactions(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        account: str | None = None,
        source: str | None = None,
    ) -> Iterator[BalanceTransaction]:
        """Every line that was booked from `since` and before `until`, newest first; or those of
        one charge, refund, dispute, transfer or payout. Fetched page by page as it goes."""
        filters = {} if source is None else {"source": source}
        if since is None:
            found = self._calls.read_all("/balance_transactions", filters, account=account)
        else:
            found = self._since(
                "/balance_transactions", since, filters, until=until, account=account
            )
        return (parsing.balance_transaction(each) for each in found)

    def retrieve_balance_transaction(
        self, balance_transaction_id: str, *, account: str | None = None
    ) -> BalanceTransaction:
        """Raises NotFound."""
        return parsing.balance_transaction(
            self._calls.read(f"/balance_transactions/{balance_transaction_id}", account=account)
        )

    def events_since(
        self, since: datetime, *, account: str | None = None, types: Sequence[str] = ()
    ) -> Iterator[Event]:
        """What happened since then, newest first; Stripe keeps it for 30 days.

        Args:
            account: a connected account, whose events are listed by themselves.
            types: up to 20 of them; empty: all.
        """
        filters = {"types": list(types)} if types else {}
        found = self._since("/events", since, filters, account=account)
        return (parsing.event(each) for each in found)
