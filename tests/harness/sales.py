"""Posts sold to fans on the local Stripe, and what banks do about it later."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, select

from activities.charges.taking import ChargeTaker
from devstack.stripe import LocalStripe
from devstack.stripe import disputes as banks
from domain.charges.states import ChargeKind, ChargeState
from domain.ids import derived_id
from domain.ledger.accounts import AccountKind
from domain.refunds import RefundReason, Requester
from domain.unlocks.states import UnlockState
from infra.db import transaction
from infra.ids import new_id
from infra.models import Charge, Entitlement, Refund, Unlock, User
from infra.queries import ledger, refunds
from infra.queries.ledger.posting import balance_of
from infra.queries.unlocks.effects import follow_charge
from tests.harness.posts import write_post
from tests.harness.stripe import GiveCard
from workflows.charges.messages import ChargeOrder

DAY = timedelta(days=1)


@dataclass
class Sales:
    """One creator's, in USD. The ledger and Stripe share the clock `now`, which only a test
    moves."""

    engine: Engine
    local: LocalStripe
    taker: ChargeTaker
    give_card: GiveCard
    creator: User
    now: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.now = datetime.fromtimestamp(self.local.now, UTC)

    def pass_time(self, duration: timedelta) -> None:
        """On both clocks; what falls due at Stripe meanwhile happens."""
        self.now += duration
        self.local.advance(int(duration.total_seconds()))

    def sell(self, fan: User, amount_minor: int = 1_000, *, card: str = "pm_card_visa") -> Charge:
        """One post, unlocked."""
        outcome = self.taker.take(self.order(fan, amount_minor, card=card), follow_charge)
        assert outcome.state is ChargeState.PAID, outcome
        return self.charge(outcome.charge_id)

    def order(
        self, fan: User, amount_minor: int = 1_000, *, card: str = "pm_card_visa"
    ) -> ChargeOrder:
        """To take the money for a post that the fan has asked for."""
        method = self.give_card(fan, card)
        post = write_post(
            self.engine, self.creator, audience="paid", price_minor=amount_minor, currency="USD"
        )
        unlock = Unlock(
            id=new_id(),
            fan_id=fan.id,
            creator_id=self.creator.id,
            post_id=post.id,
            state=UnlockState.CHARGING.value,
            list_minor=amount_minor,
            currency="USD",
            generation=1,
            payment_method_id=method.id,
            quoted_at=self.now,
            created_at=self.now,
        )
        with transaction(self.engine) as session:
            session.add(unlock)
        return ChargeOrder(
            kind=ChargeKind.UNLOCK,
            subject_id=unlock.id,
            step="charge",
            generation=1,
            fan_id=fan.id,
            creator_id=self.creator.id,
            amount_minor=amount_minor,
            currency="USD",
            payment_method_id=method.id,
            off_session=False,
            workflow_id=f"unlock:{fan.id}:{post.id}",
            at=self.now,
        )

    def charge(self, charge_id: str) -> Charge:
        with transaction(self.engine) as session:
            return session.get_one(Charge, charge_id)

    def release(self) -> None:
        """What waits long enough becomes available."""
        with transaction(self.engine) as session:
            ledger.release_due(session, creator_id=self.creator.id, at=self.now)

    def pay_out(self) -> None:
        """All that is available leaves, as far as the ledger knows."""
        payout_id = new_id()
        with transaction(self.engine) as session:
            reserved = ledger.reserve_payout(
                session,
                payout_id=payout_id,
                creator_id=self.creator.id,
                currency="USD",
                at=self.now,
                minimum_minor=1,
                hold_blocks=False,
            )
        assert hasattr(reserved, "amount_minor")
        assert reserved.amount_minor > 0

    def ask_refund(
        self, charge: Charge, amount_minor: int | None = None, *, nth: int = 1
    ) -> Refund:
        with transaction(self.engine) as session:
            return refunds.request_refund(
                session,
                refunds.NewRefund(
                    id=derived_id("test-refund", charge.id, str(nth)),
                    charge_id=charge.id,
                    amount_minor=amount_minor,
                    reason=RefundReason.REQUESTED_BY_CUSTOMER,
                    requested_as=Requester.SYSTEM,
                    at=self.now,
                ),
            )

    def dispute(self, charge: Charge, *, inquiry: bool = False, amount: int | None = None) -> str:
        """The fan goes to their bank; returns Stripe's id of the dispute."""
        scope = self.local.scope()
        held = scope.get("charge", str(charge.stripe_charge_id))
        opened = banks.open_dispute(
            scope, held, reason="fraudulent", inquiry=inquiry, amount=amount
        )
        return str(opened["id"])

    def escalate(self, dispute_id: str) -> None:
        banks.escalate(self.local.scope(), dispute_id)

    def decide(self, dispute_id: str, status: str) -> None:
        """What the bank decides: `won`, `lost` or `warning_closed`."""
        banks.finish(self.local.scope(), dispute_id, status)

    def balance(self, kind: AccountKind) -> int:
        with transaction(self.engine) as session:
            return balance_of(session, kind, currency="USD", creator_id=self.creator.id)

    def balances(self) -> dict[str, int]:
        """Of every account of this creator and of the platform that is not at zero."""
        found = {kind.value: self.balance(kind) for kind in AccountKind}
        return {kind: amount for kind, amount in found.items() if amount}

    def has_right(self, charge: Charge) -> bool:
        """Whether the fan may still open what they paid for."""
        with transaction(self.engine) as session:
            found = session.scalars(
                select(Entitlement).where(
                    Entitlement.fan_id == charge.fan_id, Entitlement.revoked_at.is_(None)
                )
            )
            return found.first() is not None

    def check_books(self) -> None:
        """The ledger keeps its own rules, and holds what Stripe holds."""
        with transaction(self.engine) as session:
            assert ledger.verify(session) == []
        at_stripe = sum(row["net"] for row in self.local.scope().all("balance_transaction"))
        assert self.balance(AccountKind.STRIPE_CLEARING) == -at_stripe
