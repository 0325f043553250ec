"""One try to take money, safe to repeat at any point.

    row committed → call journalled → Stripe → what it says, the ledger and what was paid for,
                                               in one transaction

Whoever dies on the way leaves a row that says how far it came, and a call whose key gives the
same answer again.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy import Engine

from domain.charges.states import ACTION_TTL, ChargeState, DeclineKind
from domain.errors import StepBlocked
from domain.ledger.postings import EarningDefaults
from infra.db import transaction, wait_for_disk
from infra.models import Charge
from infra.queries import charges, payment_methods
from infra.queries.charges.closing import prospects_of
from infra.queries.charges.recording import Effect, NewCharge
from infra.settings import Settings
from infra.stripe.gateway import StripeGateway
from infra.stripe.objects import PaymentIntent, TaxLine
from workflows.charges.messages import ChargeOrder, ChargeOutcome

log = structlog.get_logger(__name__)


class ChargeTaker:
    """Charges, looks after and gives up; each in few calls and at most two transactions."""

    def __init__(self, settings: Settings, engine: Engine, gateway: StripeGateway) -> None:
        self._engine = engine
        self._gateway = gateway
        self._with_tax = settings.stripe_tax_enabled
        self._defaults = EarningDefaults(
            fee_bps=settings.platform_fee_bps, hold_days=settings.earnings_hold_days
        )

    def take(self, order: ChargeOrder, follow: Effect) -> ChargeOutcome:
        """Charge once for this generation, however often it is called.

        `follow(session, charge)` runs once for each new state of the charge, in the transaction
        that writes it down. A run may begin long after its fan has asked, so what has changed
        since is looked at again: it is declined, and Stripe is not asked, where the card was
        removed, or the fan or the creator has no open account any more.

        Raises:
            Conflict: `charge_under_way`, `charge_paid`, `charge_differs`.
            StepBlocked: Stripe refused the request itself.
            Unavailable: no answer came; the same order may be given again.
        """
        # Not waited for: Stripe is only asked after the journal's own commit, which is later.
        with transaction(self._engine, durable=False) as session:
            charge = charges.begin_charge(session, _new_charge(order))
            key = call_key(charge)
            ahead = prospects_of(session, charge, call_key=key)
            if ahead.customer_id is None:
                raise StepBlocked(
                    "The fan has a card but is no customer of Stripe's.",
                    code="customer_missing",
                    fan_id=order.fan_id,
                )
            if ahead.closed is not None and not ahead.is_sent:
                wait_for_disk(session)
                charges.decline_unsent(
                    session, charge, code=ahead.closed, at=order.at, follow=follow
                )
                log.info("charge_not_sent", charge_id=charge.id, why=ahead.closed)
        if ChargeState(charge.state).is_final:
            return outcome_of(charge)
        if charge.payment_intent_id is not None:
            return self._look(charge, order.at, follow)
        if self._with_tax and charge.tax_calculation_id is None:
            self._calculate_tax(charge, order.at)
        intent = self._gateway.create_payment_intent(
            key=key,
            op_id=charge.id,
            amount_minor=charge.amount_minor,
            currency=charge.currency,
            customer_id=ahead.customer_id,
            payment_method_id=charge.payment_method_id,
            off_session=charge.off_session,
            creator_id=charge.creator_id,
            workflow_id=charge.workflow_id,
            description=order.description,
            at=order.at,
        )
        return self._apply(charge.id, intent, order.at, follow)

    def look(
        self,
        charge_id: str,
        at: datetime,
        follow: Effect,
    ) -> ChargeOutcome:
        """Ask Stripe how a charge stands that was begun, and write it down.

        Raises:
            NotFound: there is no such charge.
            Unavailable: no answer came.
        """
        with transaction(self._engine) as session:
            charge = charges.charge_of(session, charge_id, lock=False)
        if ChargeState(charge.state).is_final or charge.payment_intent_id is None:
            return outcome_of(charge)
        return self._look(charge, at, follow)

    def _look(self, charge: Charge, at: datetime, follow: Effect) -> ChargeOutcome:
        assert charge.payment_intent_id is not None, "the caller has looked"
        intent = self._gateway.retrieve_payment_intent(charge.payment_intent_id)
        if charge.client_secret is not None and intent.status == "requires_payment_method":
            # The fan's browser can still pay with its secret and another card. This try is over,
            # so it may not; where it just did, that counts.
            closed = self._cancel(charge, at)
            intent = intent if closed.status == "canceled" else closed
        return self._apply(charge.id, intent, at, follow)

    def cancel(
        self,
        charge_id: str,
        at: datetime,
        follow: Effect,
    ) -> ChargeOutcome:
        """Give up a charge that the fan did not confirm. It may turn out to be paid after all.

        Raises:
            NotFound: there is no such charge.
            Unavailable: no answer came.
        """
        with transaction(self._engine) as session:
            charge = charges.charge_of(session, charge_id, lock=False)
        if ChargeState(charge.state).is_final or charge.payment_intent_id is None:
            return outcome_of(charge)
        return self._apply(charge_id, self._cancel(charge, at), at, follow)

    def _cancel(self, charge: Charge, at: datetime) -> PaymentIntent:
        assert charge.payment_intent_id is not None, "the caller has looked"
        return self._gateway.cancel_payment_intent(
            charge.payment_intent_id,
            key=f"{call_key(charge)}:cancel",
            op_id=charge.id,
            workflow_id=charge.workflow_id,
            at=at,
        )

    def finish(self, charge_id: str, at: datetime) -> bool:
        """Post the fee of a paid charge and report its tax, where one of them is missing;
        whether nothing is missing any more.

        Raises:
            Unavailable: no answer came.
        """
        with transaction(self._engine) as session:
            charge = charges.charge_of(session, charge_id, lock=False)
        assert charge.stripe_charge_id is not None, "a paid charge is known to Stripe"
        fee = None
        if charge.fee_recorded_at is None:
            fee = self._gateway.retrieve_charge(charge.stripe_charge_id).balance_transaction
        reported = charge.tax_transaction_id
        if charge.tax_calculation_id is not None and reported is None:
            reported = self._gateway.record_tax_transaction(
                calculation_id=charge.tax_calculation_id,
                reference=charge.id,
                key=f"{call_key(charge)}:tax-report",
                op_id=charge.id,
                workflow_id=charge.workflow_id,
                at=at,
            ).id
        with transaction(self._engine) as session:
            charge = charges.charge_of(session, charge_id)
            charges.keep_tax_report(charge, reported)
            if fee is not None:
                charges.record_missing_fee(session, charge, fee, at=at)
        return charge.fee_recorded_at is not None

    def _calculate_tax(self, charge: Charge, at: datetime) -> None:
        """What of the price is tax, by the country of the card's bank. Where that is not known
        the price bears none."""
        with transaction(self._engine) as session:
            country = payment_methods.country_of(session, charge.payment_method_id)
        if country is None:
            log.warning("charge_without_country", charge_id=charge.id)
            return
        tax = self._gateway.calculate_tax(
            currency=charge.currency,
            lines=[TaxLine(amount_minor=charge.amount_minor, reference=charge.id)],
            country=country,
            key=f"{call_key(charge)}:tax",
            op_id=charge.id,
            workflow_id=charge.workflow_id,
            at=at,
        )
        with transaction(self._engine) as session:
            charges.keep_tax(session, charge.id, tax)

    def _apply(
        self,
        charge_id: str,
        intent: PaymentIntent,
        at: datetime,
        follow: Effect,
    ) -> ChargeOutcome:
        if intent.status == "succeeded" and intent.latest_charge is None:
            # It came with a refusal ("it is paid already"), in which nothing is expanded.
            intent = self._gateway.retrieve_payment_intent(intent.id)
        with transaction(self._engine) as session:
            charge = charges.charge_of(session, charge_id)
            is_news = charges.apply_intent(
                session,
                charge,
                intent,
                at=at,
                defaults=self._defaults,
                follow=follow,
            )
        if is_news:
            log.info(
                "charge",
                charge_id=charge.id,
                kind=charge.kind,
                state=charge.state,
                decline_code=charge.decline_code,
            )
        return outcome_of(charge)


def call_key(charge: Charge) -> str:
    """The idempotency key of a charge's call, made of what it is for."""
    return f"{charge.kind}:{charge.subject_id}:{charge.step}:{charge.generation}"


def outcome_of(charge: Charge) -> ChargeOutcome:
    """What a workflow hears of the row as it stands."""
    state = ChargeState(charge.state)
    waits = state is ChargeState.REQUIRES_ACTION
    return ChargeOutcome(
        charge_id=charge.id,
        state=state,
        decline_code=charge.decline_code,
        decline_kind=DeclineKind(charge.decline_kind) if charge.decline_kind else None,
        expires_at=charge.created_at + ACTION_TTL if waits else None,
        generation=charge.generation,
    )


def _new_charge(order: ChargeOrder) -> NewCharge:
    return NewCharge(
        kind=order.kind,
        subject_id=order.subject_id,
        step=order.step,
        generation=order.generation,
        fan_id=order.fan_id,
        creator_id=order.creator_id,
        amount_minor=order.amount_minor,
        currency=order.currency,
        payment_method_id=order.payment_method_id,
        off_session=order.off_session,
        workflow_id=order.workflow_id,
        at=order.at,
    )
