"""Beginning a charge, and writing down what Stripe says of it.

Locks: the charge, then the creator's money, then ledger accounts (`infra/queries/ledger`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.charges.declines import decline_kind_of
from domain.charges.states import STATE_OF_INTENT, ChargeKind, ChargeState, may_become
from domain.errors import Conflict, NotFound
from domain.ids import derived_id
from domain.ledger.postings import EarningDefaults, SaleFacts, SaleSource
from infra.models import Charge
from infra.queries import ledger
from infra.stripe.objects import BalanceTransaction, PaymentIntent, TaxCalculation

Effect = Callable[[Session, Charge], None]
"""What a charge does to the thing it is for, in the transaction that writes its new state down.
The state says what happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCharge:
    """One try to take money, before it is known to Stripe."""

    kind: ChargeKind
    subject_id: str
    step: str
    generation: int
    fan_id: str
    creator_id: str
    amount_minor: int
    currency: str
    payment_method_id: str
    off_session: bool
    workflow_id: str
    at: datetime

    @property
    def id(self) -> str:
        return derived_id("charge", self.subject_id, self.step, str(self.generation))


def begin_charge(session: Session, new: NewCharge) -> Charge:
    """The row of this try, made if it is the first time, and locked.

    Raises:
        Conflict: `charge_under_way` or `charge_paid`; another try of the same step is not
            over, or took the money. `charge_differs`: this try was begun with other terms.
    """
    values = {
        "id": new.id,
        "kind": new.kind.value,
        "subject_id": new.subject_id,
        "step": new.step,
        "generation": new.generation,
        "fan_id": new.fan_id,
        "creator_id": new.creator_id,
        "amount_minor": new.amount_minor,
        "currency": new.currency,
        "payment_method_id": new.payment_method_id,
        "off_session": new.off_session,
        "workflow_id": new.workflow_id,
    }
    made = (
        insert(Charge)
        .values(**values, state=ChargeState.OPEN.value, created_at=new.at)
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(Charge)
    )
    try:
        charge = session.scalar(made)
    except IntegrityError as error:
        if _constraint_of(error) != "uq_charges_one_under_way":
            raise
        raise Conflict(
            "Another try to charge this is under way.", code="charge_under_way"
        ) from error
    # A statement of its own, after the insert: what that had to wait for may have been paid.
    paid = session.scalar(
        select(Charge.id).where(
            Charge.subject_id == new.subject_id,
            Charge.step == new.step,
            Charge.state == ChargeState.PAID.value,
            Charge.id != new.id,
        )
    )
    if paid is not None:
        raise Conflict("This is paid already.", code="charge_paid", charge_id=paid)
    if charge is None:
        charge = charge_of(session, new.id)
    differing = [
        name
        for name, value in values.items()
        if name != "workflow_id" and getattr(charge, name) != value
    ]
    if differing:
        raise Conflict(
            "The same try was begun with other terms.",
            code="charge_differs",
            charge_id=new.id,
            differing=", ".join(differing),
        )
    return charge


def _constraint_of(error: IntegrityError) -> str | None:
    name: str | None = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    return name


def charge_of(session: Session, charge_id: str, *, lock: bool = True) -> Charge:
    """Raises `NotFound` where there is none."""
    charge = session.scalar(
        select(Charge)
        .where(Charge.id == charge_id)
        .with_for_update()
        .execution_options(populate_existing=True)
        if lock
        else select(Charge).where(Charge.id == charge_id)
    )
    if charge is None:
        raise NotFound("There is no such charge.", code="charge_unknown", charge_id=charge_id)
    return charge


def apply_intent(
    session: Session,
    charge: Charge,
    intent: PaymentIntent,
    *,
    at: datetime,
    defaults: EarningDefaults,
    follow: Effect,
) -> bool:
    """Write down what a PaymentIntent says of its locked charge; whether that was news.

    Of each news once, in one transaction: the state, a payment's posts to the ledger, and what
    `follow` makes of it. News that is older than what is known changes nothing.

    Raises:
        Conflict: `intent_differs`; it is of another charge, or of another amount.
    """
    _check_same(charge, intent)
    old, new = ChargeState(charge.state), STATE_OF_INTENT[intent.status]
    charge.payment_intent_id = intent.id
    if not may_become(old, new):
        return False
    charge.state = new.value
    charge.client_secret = intent.client_secret if new is ChargeState.REQUIRES_ACTION else None
    if intent.latest_charge is not None:
        charge.fingerprint = intent.latest_charge.payment_method_fingerprint
    if new.is_final:
        charge.closed_at = at
    if new is ChargeState.PAID:
        _pay(session, charge, intent, at=at, defaults=defaults)
    elif new is ChargeState.DECLINED and intent.decline is not None:
        charge.decline_code = intent.decline.reason
        charge.decline_kind = intent.decline.kind.value
    follow(session, charge)
    session.flush()
    return True


def decline_unsent(
    session: Session, charge: Charge, *, code: str, at: datetime, follow: Effect
) -> None:
    """End a locked charge of which Stripe was never asked; `code` is a reason of our own."""
    assert charge.state == ChargeState.OPEN and charge.payment_intent_id is None, charge.state
    charge.state = ChargeState.DECLINED.value
    charge.decline_code, charge.decline_kind = code, decline_kind_of(code).value
    charge.closed_at = at
    follow(session, charge)
    session.flush()


def keep_tax(session: Session, charge_id: str, tax: TaxCalculation) -> None:
    """Write down what of an open charge is tax; the first calculation counts."""
    charge = charge_of(session, charge_id)
    if charge.state == ChargeState.OPEN and charge.tax_calculation_id is None:
        charge.tax_minor = tax.tax_minor
        charge.tax_calculation_id = tax.id


def keep_tax_report(charge: Charge, tax_transaction_id: str | None) -> None:
    """Write down under which id the tax of a locked charge is reported."""
    charge.tax_transaction_id = charge.tax_transaction_id or tax_transaction_id


def _check_same(charge: Charge, intent: PaymentIntent) -> None:
    facts = (charge.payment_intent_id or intent.id, charge.amount_minor, charge.currency)
    if facts != (intent.id, intent.amount_minor, intent.currency):
        raise Conflict(
            "Stripe's payment is not the one that this charge is of.",
            code="intent_differs",
            charge_id=charge.id,
            payment_intent_id=intent.id,
        )


def _pay(
    session: Session,
    charge: Charge,
    intent: PaymentIntent,
    *,
    at: datetime,
    defaults: EarningDefaults,
) -> None:
    paid = intent.latest_charge
    assert paid is not None, "a payment that succeeded has its charge"
    fee = None if charge.fee_recorded_at is not None else paid.balance_transaction
    charge.paid_at = at
    charge.stripe_charge_id = paid.id
    if fee is not None:
        charge.fee_recorded_at = at
    session.flush()
    ledger.record_sale(
        session,
        SaleFacts(
            charge_id=charge.id,
            creator_id=charge.creator_id,
            source=SaleSource(charge.kind),
            gross_minor=charge.amount_minor,
            tax_minor=charge.tax_minor,
            fee_bps=None,
            currency=charge.currency,
            at=at,
            workflow_id=charge.workflow_id,
            stripe_ref=paid.id,
        ),
        defaults=defaults,
    )
    if fee is not None:
        _post_fee(session, charge, fee, at=at)


def record_missing_fee(
    session: Session, charge: Charge, transaction: BalanceTransaction, *, at: datetime
) -> None:
    """Post what Stripe kept of a payment, if it is not posted yet."""
    if charge.fee_recorded_at is None:
        _post_fee(session, charge, transaction, at=at)
        charge.fee_recorded_at = at


def _post_fee(
    session: Session, charge: Charge, transaction: BalanceTransaction, *, at: datetime
) -> None:
    ledger.record_fee(
        session,
        txn_id=transaction.id,
        stripe_ref=charge.stripe_charge_id or "",
        fee_minor=transaction.fee_minor,
        currency=transaction.currency,
        at=at,
        workflow_id=charge.workflow_id,
    )
