"""Creators' connected accounts, and the money that goes to them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from stripe.params import (
    AccountCreateParams,
    AccountLinkCreateParams,
    PayoutCreateParams,
    TransferCreateParams,
    TransferReversalCreateParams,
)

from infra.stripe import parsing
from infra.stripe.asking import Asking, op_metadata
from infra.stripe.calls import with_metadata
from infra.stripe.objects import Account, AccountLink, Payout, Reversal, Transfer


class Connect(Asking):
    def create_account(
        self,
        *,
        country: str,
        key: str,
        op_id: str,
        at: datetime,
        email: str | None = None,
        workflow_id: str | None = None,
    ) -> Account:
        """A creator's account with Stripe's own pages for who they are (Express).

        The platform pays Stripe's fees and answers for losses, since it is who takes money from
        fans. The account pays out when we say so, and never by itself.

        Args:
            country: ISO 3166-1 alpha-2; can't be changed later.
            op_id: the creator's id.
        """
        params: AccountCreateParams = {
            "country": country,
            "controller": {
                "fees": {"payer": "application"},
                "losses": {"payments": "application"},
                "requirement_collection": "stripe",
                "stripe_dashboard": {"type": "express"},
            },
            "capabilities": {"transfers": {"requested": True}},
            "settings": {"payouts": {"schedule": {"interval": "manual"}}},
            "metadata": op_metadata(op_id, "connect", key=key),
        }
        if email is not None:
            params["email"] = email
        return parsing.account(
            self._order(
                "/accounts",
                params,
                key=key,
                op_id=op_id,
                at=at,
                workflow_id=workflow_id,
                read=self._reading("/accounts"),
                find=self._made_since("/accounts", key),
            )
        )

    def create_account_link(
        self,
        account_id: str,
        *,
        refresh_url: str,
        return_url: str,
        key: str,
        op_id: str,
        at: datetime,
        purpose: Literal["account_onboarding", "account_update"] = "account_onboarding",
        workflow_id: str | None = None,
    ) -> AccountLink:
        """A page where the creator says who they are. A key is good for one link: each opens
        once and lives for minutes."""
        params: AccountLinkCreateParams = {
            "account": account_id,
            "refresh_url": refresh_url,
            "return_url": return_url,
            "type": purpose,
        }
        return parsing.account_link(
            self._order(
                "/account_links",
                params,
                key=key,
                op_id=op_id,
                at=at,
                workflow_id=workflow_id,
                read=None,
                find=None,
            )
        )

    def retrieve_account(self, account_id: str) -> Account:
        """Raises NotFound, or StepBlocked `stripe_credentials_refused` once the creator has
        taken the platform's access away."""
        return parsing.account(self._calls.read(f"/accounts/{account_id}"))

    def create_transfer(
        self,
        *,
        account_id: str,
        amount_minor: int,
        currency: str,
        key: str,
        op_id: str,
        at: datetime,
        workflow_id: str | None = None,
    ) -> Transfer:
        """From the platform's balance to the account's.

        Raises:
            StepBlocked: `payment_request_refused` with reason `balance_insufficient`.
        """
        params: TransferCreateParams = {
            "amount": amount_minor,
            "currency": currency.lower(),
            "destination": account_id,
            "transfer_group": op_id,
            "metadata": op_metadata(op_id, "payout", key=key, workflow_id=workflow_id),
        }
        return parsing.transfer(
            self._order(
                "/transfers",
                params,
                key=key,
                op_id=op_id,
                at=at,
                workflow_id=workflow_id,
                read=self._reading("/transfers"),
                find=self._made_in("/transfers", key, {"transfer_group": op_id}),
            )
        )

    def retrieve_transfer(self, transfer_id: str) -> Transfer:
        """Raises NotFound."""
        return parsing.transfer(self._calls.read(f"/transfers/{transfer_id}"))

    def find_transfer(self, *, op_id: str) -> Transfer | None:
        """The newest of them."""
        listed = self._calls.read_all("/transfers", {"transfer_group": op_id})
        found = with_metadata(listed, "op_id", op_id)
        return None if found is None else parsing.transfer(found)

    def reverse_transfer(
        self,
        transfer_id: str,
        *,
        amount_minor: int,
        key: str,
        op_id: str,
        at: datetime,
        workflow_id: str | None = None,
    ) -> Reversal:
        """Take money of a transfer back.

        Raises:
            StepBlocked: `payment_request_refused` with reason `balance_insufficient`: the
                account has not got so much any more.
        """
        params: TransferReversalCreateParams = {
            "amount": amount_minor,
            "metadata": op_metadata(op_id, "payout", key=key, workflow_id=workflow_id),
        }
        path = f"/transfers/{transfer_id}/reversals"
        return parsing.reversal(
            self._order(
                path,
                params,
                key=key,
                op_id=op_id,
                at=at,
                workflow_id=workflow_id,
                read=self._reading(path),
                find=self._made_in(path, key),
            )
        )

    def find_reversal(self, *, transfer_id: str, op_id: str) -> Reversal | None:
        """The newest of them."""
        listed = self._calls.read_all(f"/transfers/{transfer_id}/reversals", {})
        found = with_metadata(listed, "op_id", op_id)
        return None if found is None else parsing.reversal(found)

    def create_payout(
        self,
        *,
        account_id: str,
        amount_minor: int,
        currency: str,
        key: str,
        op_id: str,
        at: datetime,
        workflow_id: str | None = None,
    ) -> Payout:
        """From the account's balance to its bank.

        Raises:
            StepBlocked: `payment_request_refused` with reason `balance_insufficient` (the
                transfer may not be available yet) or `payouts_not_allowed`.
        """
        params: PayoutCreateParams = {
            "amount": amount_minor,
            "currency": currency.lower(),
            "metadata": op_metadata(op_id, "payout", key=key, workflow_id=workflow_id),
        }
        return parsing.payout(
            self._order(
                "/payouts",
                params,
                key=key,
                op_id=op_id,
                at=at,
                workflow_id=workflow_id,
                account=account_id,
                read=self._reading("/payouts", account=account_id),
                find=self._made_since("/payouts", key, account=account_id),
            )
        )

    def retrieve_payout(self, payout_id: str, *, account_id: str) -> Payout:
        """Raises NotFound."""
        return parsing.payout(self._calls.read(f"/payouts/{payout_id}", account=account_id))

    def find_payout(self, *, account_id: str, op_id: str, since: datetime) -> Payout | None:
        """The newest of those made since then."""
        listed = self._since("/payouts", since, account=account_id)
        found = with_metadata(listed, "op_id", op_id)
        return None if found is None else parsing.payout(found)
