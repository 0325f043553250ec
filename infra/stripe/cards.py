"""Customers, and the cards that they keep. The platform never sees a card's number."""

from __future__ import annotations

from datetime import datetime

from stripe.params import (
    CustomerCreateParams,
    CustomerPaymentMethodListParams,
    SetupAttemptListParams,
    SetupIntentCreateParams,
)

from infra.stripe import parsing
from infra.stripe.asking import Asking, op_metadata
from infra.stripe.calls import StripeCalls, found_or_none
from infra.stripe.fields import Json
from infra.stripe.objects import Customer, PaymentMethod, SetupAttempt, SetupIntent

_CANCELED = frozenset({"canceled"})


class Cards(Asking):
    def create_customer(
        self, *, key: str, op_id: str, at: datetime, workflow_id: str | None = None
    ) -> Customer:
        """`op_id`: the user's id. Stripe is told nothing else of them. Whoever comes first may
        make it, so that the run that does is not part of what is sent."""
        params: CustomerCreateParams = {"metadata": op_metadata(op_id, "user", key=key)}
        return parsing.customer(
            self._order(
                "/customers",
                params,
                key=key,
                op_id=op_id,
                at=at,
                workflow_id=workflow_id,
                read=self._reading("/customers"),
                find=self._made_since("/customers", key),
            )
        )

    def create_setup_intent(
        self,
        customer_id: str,
        *,
        key: str,
        op_id: str,
        at: datetime,
        workflow_id: str | None = None,
    ) -> SetupIntent:
        """An order to keep a card for payments with and without the fan.

        `op_id`: of what asks for it; each time that a fan adds a card is one. A bank that
        refuses the card is no error: `decline` says why.
        """
        params: SetupIntentCreateParams = {
            "customer": customer_id,
            "allowed_payment_method_types": ["card"],
            "metadata": op_metadata(op_id, "setup", key=key, workflow_id=workflow_id),
        }
        return parsing.setup_intent(
            self._order(
                "/setup_intents",
                params,
                key=key,
                op_id=op_id,
                at=at,
                workflow_id=workflow_id,
                read=self._reading("/setup_intents"),
                find=self._made_since("/setup_intents", key, {"customer": customer_id}),
            )
        )

    def retrieve_setup_intent(self, setup_intent_id: str) -> SetupIntent:
        """Raises NotFound."""
        return parsing.setup_intent(self._calls.read(f"/setup_intents/{setup_intent_id}"))

    def cancel_setup_intent(
        self,
        setup_intent_id: str,
        *,
        key: str,
        op_id: str,
        at: datetime,
        workflow_id: str | None = None,
    ) -> SetupIntent:
        """Let no card be entered any more. One that succeeded meanwhile, or was canceled before,
        is returned as it stands: look at its `status`."""
        read = self._reading("/setup_intents")
        return parsing.setup_intent(
            self._order(
                f"/setup_intents/{setup_intent_id}/cancel",
                {},
                key=key,
                op_id=op_id,
                at=at,
                workflow_id=workflow_id,
                read=read,
                find=self._in_state(read, setup_intent_id, field="status", among=_CANCELED),
                embedded="setup_intent",
            )
        )

    def list_setup_attempts(self, setup_intent_id: str) -> list[SetupAttempt]:
        """Every card that was tried in it, newest first."""
        params: SetupAttemptListParams = {"setup_intent": setup_intent_id}
        found = self._calls.read_all("/setup_attempts", params)
        return [parsing.setup_attempt(each) for each in found]

    def retrieve_payment_method(self, payment_method_id: str) -> PaymentMethod:
        """Raises NotFound."""
        return parsing.payment_method(self._calls.read(f"/payment_methods/{payment_method_id}"))

    def list_payment_methods(self, customer_id: str) -> list[PaymentMethod]:
        """The customer's cards, newest first."""
        params: CustomerPaymentMethodListParams = {"type": "card"}
        found = self._calls.read_all(f"/customers/{customer_id}/payment_methods", params)
        return [parsing.payment_method(each) for each in found]

    def detach_payment_method(
        self,
        payment_method_id: str,
        *,
        key: str,
        op_id: str,
        at: datetime,
        workflow_id: str | None = None,
    ) -> PaymentMethod:
        """Take a card from its customer, for good: it can't be used or attached again."""
        return parsing.payment_method(
            self._order(
                f"/payment_methods/{payment_method_id}/detach",
                {},
                key=key,
                op_id=op_id,
                at=at,
                workflow_id=workflow_id,
                read=self._reading("/payment_methods"),
                find=lambda _: _detached(self._calls, payment_method_id),
            )
        )


def _detached(calls: StripeCalls, payment_method_id: str) -> Json | None:
    held = found_or_none(lambda: calls.read(f"/payment_methods/{payment_method_id}"))
    return held if held is not None and held.get("customer") is None else None
