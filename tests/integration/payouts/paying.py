"""Payouts through the real steps, against a local Stripe in the same process."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.payouts import ConnectActivities, ReturnActivities, SendingActivities
from devstack.stripe import accounts as local_accounts
from devstack.stripe.balance import record
from devstack.stripe.core import LocalStripe
from devstack.stripe.faults import Fault, FaultKind
from devstack.stripe.inprocess import InProcessClient, client_of
from devstack.stripe.payouts import fail_payout
from devstack.stripe.world import Config
from domain.payouts.states import PayoutState
from infra.db import transaction
from infra.ids import new_id
from infra.models import Payout
from infra.queries.payouts import opening
from infra.queries.payouts.accounts import keep_account
from infra.settings import Settings
from infra.stripe import StripeGateway
from tests.harness.earnings import Earner
from workflows.payouts.messages import ConnectStep, PayoutLook, PayoutStep

DAY = timedelta(days=1)
TRANSFERS, PAYOUTS, REVERSALS = "/v1/transfers", "/v1/payouts", "/v1/transfers/.*/reversals"


@dataclass
class Till:
    """One creator, their account at a Stripe of its own, and the steps of their payouts."""

    settings: Settings
    earner: Earner
    local: LocalStripe
    now: datetime
    gateway: StripeGateway
    sending: SendingActivities
    returning: ReturnActivities
    connect: ConnectActivities
    account_id: str = ""
    looks: list[PayoutLook] = field(default_factory=list)

    def open_account(self, *, bank: str = "000123456789") -> None:
        """At Stripe and in its row, and filled in."""
        account = self.gateway.create_account(
            country="US",
            key=f"connect:{self.earner.id}:account:US",
            op_id=self.earner.id,
            at=self.now,
        )
        with transaction(self.earner.engine) as session:
            keep_account(session, self.earner.id, account, at=self.now)
        self.account_id = account.id
        local_accounts.onboard(self.local.scope(), account.id, bank=bank)
        self.refresh()

    def refresh(self) -> str:
        step = ConnectStep(self.earner.id, self.now)
        return self.connect.refresh_account(step).outcome

    def fund_platform(self, amount_minor: int) -> None:
        client_of(self.local).v1.topups.create(
            {"amount": amount_minor, "currency": "usd", "description": "to pay out"}
        )

    def pass_time(self, duration: timedelta) -> None:
        self.now += duration
        self.local.advance(int(duration.total_seconds()))

    def ask(self) -> str:
        payout_id = new_id()
        with transaction(self.earner.engine) as session:
            opening.ask_for_payout(
                session,
                payout_id=payout_id,
                creator_id=self.earner.id,
                currency=None,
                at=self.now,
            )
        return payout_id

    def step(self, name: str, payout_id: str) -> PayoutLook:
        """One step, as a run asks for it."""
        activity: Any = {
            "open": self.sending.open_payout,
            "send": self.sending.send_payout,
            "look": self.sending.look_at_payout,
            "return": self.returning.return_payout,
        }[name]
        look: PayoutLook = ActivityEnvironment().run(activity, PayoutStep(payout_id, self.now))
        self.looks.append(look)
        return look

    def sent(self) -> str:
        """A payout that is under way to the bank."""
        payout_id = self.ask()
        assert self.step("open", payout_id).state is PayoutState.RESERVED
        assert self.step("send", payout_id).state is PayoutState.IN_TRANSIT
        return payout_id

    def paid(self) -> str:
        payout_id = self.sent()
        self.pass_time(3 * DAY)
        assert self.step("look", payout_id).state is PayoutState.PAID
        return payout_id

    def fail(self, payout_id: str) -> None:
        """The bank sends it back."""
        bank_id = self.row(payout_id).stripe_payout_id
        assert bank_id is not None
        fail_payout(self.local.scope(self.account_id), bank_id)

    def disable(self) -> None:
        """Stripe lets the account do nothing any more."""
        local_accounts.disable(self.local.scope(), self.account_id, "rejected.fraud")

    def book(self, amount_minor: int) -> None:
        """Something else moves money of the account at Stripe."""
        record(
            self.local.scope(self.account_id),
            kind="adjustment",
            amount=amount_minor,
            currency="usd",
            source=f"adj_{new_id()}",
            category="other_adjustment",
        )

    def break_next(self, kind: FaultKind, path: str) -> None:
        self.local.faults.add(Fault(kind, method="POST", path=path))

    def row(self, payout_id: str) -> Payout:
        with transaction(self.earner.engine) as session:
            return session.get_one(Payout, payout_id)

    def made(self) -> tuple[int, int, int]:
        """How many transfers, payouts and reversals there are at Stripe."""
        own = self.local.scope(self.account_id)
        transfers = self.local.scope().all("transfer")
        reversals = sum(1 for each in transfers if each["reversed"])
        return len(transfers), len(own.all("payout")), reversals

    def at_stripe(self) -> tuple[int, int]:
        """What is available to the platform and to the creator there."""
        return (
            self.gateway.balance().available_minor.get("USD", 0),
            self.gateway.balance(account=self.account_id).available_minor.get("USD", 0),
        )


def till_of(
    settings: Settings, earner: Earner, *, review_first: bool = False, **config: Any
) -> Till:
    now = datetime.now(UTC)
    local = LocalStripe(now=int(now.timestamp()), seed=new_id(), config=Config(**config))
    settings = settings.model_copy(
        update={
            "stripe_secret_key": SecretStr("sk_test_local"),
            "payout_review_first": review_first,
        }
    )
    gateway = StripeGateway(settings, earner.engine, http_client=InProcessClient(local))
    return Till(
        settings,
        earner,
        local,
        now,
        gateway,
        SendingActivities(settings, earner.engine, gateway),
        ReturnActivities(earner.engine, gateway),
        ConnectActivities(earner.engine, gateway),
    )
