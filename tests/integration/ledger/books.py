"""Sales, refunds and the rest, with the facts that a test does not care about filled in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from domain.ledger.accounts import AccountKind
from domain.ledger.payouts import Reserved
from domain.ledger.postings import EarningDefaults, SaleFacts, SaleSource
from infra.ids import new_id
from infra.queries.ledger import (
    Posted,
    open_dispute,
    record_refund,
    record_sale,
    release_due,
    reserve_payout,
)
from infra.queries.ledger.posting import balance_of

NOW = datetime(2030, 1, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
DEFAULTS = EarningDefaults(fee_bps=2000, hold_days=7)


@dataclass
class Books:
    """The books of one creator in USD, at a moment that a test moves on."""

    session: Session
    creator_id: str
    now: datetime = field(default=NOW)
    currency: str = "USD"

    def sell(
        self,
        gross_minor: int = 1000,
        *,
        tax_minor: int = 0,
        charge_id: str | None = None,
        fee_bps: int | None = None,
    ) -> str:
        """Returns the charge's id."""
        charge_id = charge_id or new_id()
        record_sale(
            self.session,
            SaleFacts(
                charge_id=charge_id,
                creator_id=self.creator_id,
                source=SaleSource.TIP,
                gross_minor=gross_minor,
                tax_minor=tax_minor,
                fee_bps=fee_bps,
                currency=self.currency,
                at=self.now,
                workflow_id="tip:1",
                stripe_ref=f"ch_{charge_id}",
            ),
            defaults=DEFAULTS,
        )
        return charge_id

    def refund(self, charge_id: str, amount_minor: int, *, refund_id: str | None = None) -> str:
        refund_id = refund_id or new_id()
        record_refund(
            self.session,
            refund_id=refund_id,
            charge_id=charge_id,
            amount_minor=amount_minor,
            at=self.now,
            stripe_ref=f"re_{refund_id}",
        )
        return refund_id

    def dispute(self, charge_id: str, amount_minor: int, *, fee_minor: int = 1500) -> str:
        dispute_id = f"dp_{new_id()}"
        posted: Posted = open_dispute(
            self.session,
            dispute_id=dispute_id,
            charge_id=charge_id,
            amount_minor=amount_minor,
            fee_minor=fee_minor,
            at=self.now,
            stripe_ref=dispute_id,
        )
        assert posted.is_new
        return dispute_id

    def release(self, *, days: float = 7) -> None:
        self.now += timedelta(days=days)
        release_due(self.session, creator_id=self.creator_id, at=self.now)

    def reserve(self, *, payout_id: str | None = None) -> tuple[str, Reserved]:
        payout_id = payout_id or new_id()
        reserved = reserve_payout(
            self.session,
            payout_id=payout_id,
            creator_id=self.creator_id,
            currency=self.currency,
            at=self.now,
            minimum_minor=1,
            hold_blocks=False,
        )
        assert isinstance(reserved, Reserved)
        return payout_id, reserved

    def balances(self) -> dict[str, int]:
        """Of every account that is not at zero."""
        found = {
            kind.value: balance_of(
                self.session, kind, currency=self.currency, creator_id=self.creator_id
            )
            for kind in AccountKind
        }
        return {kind: amount for kind, amount in found.items() if amount}
