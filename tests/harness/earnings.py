"""Creators who have earned something, written and committed on `engine`, gone after the test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from domain.ledger.accounts import AccountKind
from domain.ledger.postings import EarningDefaults, SaleFacts, SaleSource
from domain.payouts.review import ReviewPolicy
from infra.db import transaction
from infra.ids import new_id
from infra.models import ConnectedAccount, EarningLot, Payout, User
from infra.queries.ledger import open_dispute, record_refund, record_sale, release_due
from infra.queries.ledger.posting import balance_of
from infra.queries.payouts import opening

DEFAULTS = EarningDefaults(fee_bps=2000, hold_days=7)
DAY = timedelta(days=1)


@dataclass
class Earner:
    """One creator's money in one currency. Nothing of it is at Stripe, unless a test says so."""

    engine: Engine
    creator: User
    currency: str = "USD"

    @property
    def id(self) -> str:
        return self.creator.id

    def sell(self, gross_minor: int, *, at: datetime | None = None) -> str:
        """A tip, of which the creator gets four fifths in a week. Returns the charge's id."""
        charge_id = new_id()
        facts = SaleFacts(
            charge_id=charge_id,
            creator_id=self.id,
            source=SaleSource.TIP,
            gross_minor=gross_minor,
            tax_minor=0,
            fee_bps=None,
            currency=self.currency,
            at=at or datetime.now(UTC),
            workflow_id=None,
            stripe_ref=f"ch_{charge_id}",
        )
        with transaction(self.engine) as session:
            record_sale(session, facts, defaults=DEFAULTS)
        return charge_id

    def earn(self, share_minor: int) -> str:
        """Available now: sold eight days ago. The share is a multiple of 4."""
        now = datetime.now(UTC)
        charge_id = self.sell(share_minor * 5 // 4, at=now - 8 * DAY)
        with transaction(self.engine) as session:
            release_due(session, creator_id=self.id, at=now)
        return charge_id

    def refund(self, charge_id: str, amount_minor: int) -> None:
        refund_id = new_id()
        with transaction(self.engine) as session:
            record_refund(
                session,
                refund_id=refund_id,
                charge_id=charge_id,
                amount_minor=amount_minor,
                at=datetime.now(UTC),
                stripe_ref=f"re_{refund_id}",
            )

    def dispute(self, charge_id: str, amount_minor: int) -> None:
        dispute_id = f"dp_{new_id()}"
        with transaction(self.engine) as session:
            open_dispute(
                session,
                dispute_id=dispute_id,
                charge_id=charge_id,
                amount_minor=amount_minor,
                fee_minor=1500,
                at=datetime.now(UTC),
                stripe_ref=dispute_id,
            )

    def connect(self, **changes: Any) -> ConnectedAccount:
        """An account at Stripe that can be paid out to, or what `changes` say."""
        values: dict[str, Any] = {
            "account_id": f"acct_{new_id().replace('-', '')}",
            "charges_enabled": True,
            "payouts_enabled": True,
            "transfers_enabled": True,
            "details_submitted": True,
            "requirements_due": [],
            "country": "US",
            "default_currency": self.currency,
            "updated_at": datetime.now(UTC) - DAY,
        }
        account = ConnectedAccount(creator_id=self.id, **(values | changes))
        with transaction(self.engine) as session:
            session.add(account)
        return account

    def in_review(self) -> str:
        """A payout of all there is, which waits for staff. Returns its id."""
        payout_id, now = new_id(), datetime.now(UTC)
        with transaction(self.engine) as session:
            opening.ask_for_payout(
                session, payout_id=payout_id, creator_id=self.id, currency=None, at=now
            )
            opening.open_payout(
                session, payout_id, at=now, platform_minor=10**9, policy=ReviewPolicy()
            )
        return payout_id

    def balances(self) -> dict[str, int]:
        """Of the creator's accounts that are not at zero."""
        with transaction(self.engine) as session:
            found = {kind.value: self._balance(session, kind) for kind in _SHOWN}
        return {kind: amount for kind, amount in found.items() if amount}

    def platform(self, kind: AccountKind) -> int:
        with transaction(self.engine) as session:
            return self._balance(session, kind)

    def _balance(self, session: Session, kind: AccountKind) -> int:
        return balance_of(session, kind, currency=self.currency, creator_id=self.id)

    def lots(self) -> list[EarningLot]:
        with transaction(self.engine) as session:
            wanted = select(EarningLot).where(EarningLot.creator_id == self.id)
            return list(session.scalars(wanted.order_by(EarningLot.earned_at, EarningLot.id)))

    def payouts(self) -> list[Payout]:
        with transaction(self.engine) as session:
            wanted = select(Payout).where(Payout.creator_id == self.id)
            return list(session.scalars(wanted.order_by(Payout.created_at, Payout.id)))


_SHOWN = (
    AccountKind.PENDING,
    AccountKind.AVAILABLE,
    AccountKind.DISPUTE_HOLD,
    AccountKind.PAYOUT_IN_FLIGHT,
    AccountKind.DEBT,
)
