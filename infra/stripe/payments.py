"""Taking money, giving it back, and disputes about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from stripe.params import (
    DisputeUpdateParams,
    DisputeUpdateParamsEvidence,
    PaymentIntentCreateParams,
    RefundCreateParams,
)

from infra.stripe import parsing
from infra.stripe.asking import Asking, op_metadata
from infra.stripe.calls import Read, with_metadata
from infra.stripe.fields import Json
from infra.stripe.objects import Charge, Dispute, PaymentIntent, Refund

_INTENT = {"expand": ["latest_charge.balance_transaction"]}
_INTENTS = {"expand": ["data.latest_charge.balance_transaction"]}
_CHARGE = {"expand": ["balance_transaction"]}
_REFUND = {"expand": ["balance_transaction", "failure_balance_transaction"]}
_REFUNDS = {"expand": ["data.balance_transaction", "data.failure_balance_transaction"]}

_CONFIRMED = frozenset({"requires_action", "processing", "requires_capture", "succeeded"})
_CANCELED = frozenset({"canceled"})
_LOST = frozenset({"lost"})


class Payments(Asking):
    def create_payment_intent(
        self,
        *,
        amount_minor: int,
        currency: str,
        customer_id: str,
        payment_method_id: str,
        off_session: bool,
        key: str,
        op_id: str,
        at: datetime,
        op_kind: str = "charge",
        creator_id: str | None = None,
        workflow_id: str | None = None,
        description: str = "",
        statement_suffix: str | None = None,
        return_url: str | None = None,
    ) -> PaymentIntent:
        """Try to take money from a kept card, at once.

        Args:
            off_session: the fan is not there to confirm anything. A bank that wants it declines
                with `authentication_required`.
            workflow_id: of the run that waits for it; webhooks are told to it.
            statement_suffix: what the bank's statement says behind the platform's name.
            return_url: where a fan is sent back to after 3-D Secure; without it, Stripe's
                script confirms in the page.

        Returns:
            `succeeded`; `requires_action` (on session only); `processing`; or
            `requires_payment_method` with `decline`.
        """
        params: PaymentIntentCreateParams = {
            "amount": amount_minor,
            "currency": currency.lower(),
            "customer": customer_id,
            "payment_method": payment_method_id,
            "allowed_payment_method_types": ["card"],
            # Otherwise the charge is not booked when the answer comes, and its fee not known.
            "capture_method": "automatic",
            "confirm": True,
            "off_session": off_session,
            "metadata": op_metadata(
                op_id, op_kind, key=key, workflow_id=workflow_id, creator_id=creator_id
            ),
            "expand": _INTENT["expand"],
        }
        if description:
            params["description"] = description
        if statement_suffix is not None:
            params["statement_descriptor_suffix"] = statement_suffix
        if return_url is not None:
            params["return_url"] = return_url
        return self._with_charge(
            self._order(
                "/payment_intents",
                params,
                key=key,
                op_id=op_id,
                at=at,
                workflow_id=workflow_id,
                read=self._reading("/payment_intents", _INTENT),
                find=self._made_since(
                    "/payment_intents", key, {"customer": customer_id, **_INTENTS}
                ),
                embedded="payment_intent",
            )
        )

    def confirm_payment_intent(
        self,
        payment_intent_id: str,
        *,
        key: str,
        op_id: str,
        at: datetime,
        payment_method_id: str | None = None,
        off_session: bool = False,
        workflow_id: str | None = None,
    ) -> PaymentIntent:
        """Try again with the same PaymentIntent, with another card if one is given.

        One that can't be confirmed any more is returned as it stands.
        """
        params = {"off_session": off_session, **_INTENT}
        if payment_method_id is not None:
            params["payment_method"] = payment_method_id
        return self._intent_order(
            payment_intent_id,
            "confirm",
            params,
            key=key,
            op_id=op_id,
            at=at,
            workflow_id=workflow_id,
            among=_CONFIRMED,
        )

    def cancel_payment_intent(
        self,
        payment_intent_id: str,
        *,
        key: str,
        op_id: str,
        at: datetime,
        workflow_id: str | None = None,
    ) -> PaymentIntent:
        """Give it up. One that was paid meanwhile, or canceled before, is returned as it stands:
        look at its `status`."""
        return self._intent_order(
            payment_intent_id,
            "cancel",
            dict(_INTENT),
            key=key,
            op_id=op_id,
            at=at,
            workflow_id=workflow_id,
            among=_CANCELED,
        )

    def _intent_order(
        self,
        payment_intent_id: str,
        verb: str,
        params: Mapping[str, object],
        *,
        key: str,
        op_id: str,
        at: datetime,
        workflow_id: str | None,
        among: frozenset[str],
    ) -> PaymentIntent:
        read = self._reading("/payment_intents", _INTENT)
        return self._with_charge(
            self._order(
                f"/payment_intents/{payment_intent_id}/{verb}",
                params,
                key=key,
                op_id=op_id,
                at=at,
                workflow_id=workflow_id,
                read=read,
                find=self._in_state(read, payment_intent_id, field="status", among=among),
                embedded="payment_intent",
            )
        )

    def _with_charge(self, answer: Json) -> PaymentIntent:
        """One that was paid comes with its charge. What Stripe puts into an error, such as
        "it can't be canceled, for it has succeeded", is not expanded, and is read once more."""
        intent = parsing.payment_intent(answer)
        if intent.status == "succeeded" and intent.latest_charge is None:
            return self.retrieve_payment_intent(intent.id)
        return intent

    def retrieve_payment_intent(self, payment_intent_id: str) -> PaymentIntent:
        """With its latest charge and what was booked for that. Raises NotFound."""
        return parsing.payment_intent(
            self._calls.read(f"/payment_intents/{payment_intent_id}", _INTENT)
        )

    def find_payment_intent(
        self, *, customer_id: str, op_id: str, since: datetime
    ) -> PaymentIntent | None:
        """The customer's newest with this `op_id`, of those made since then."""
        listed = self._since("/payment_intents", since, {"customer": customer_id, **_INTENTS})
        found = with_metadata(listed, "op_id", op_id)
        return None if found is None else parsing.payment_intent(found)

    def retrieve_charge(self, charge_id: str) -> Charge:
        """With what was booked for it. Raises NotFound."""
        return parsing.charge(self._calls.read(f"/charges/{charge_id}", _CHARGE))

    def create_refund(
        self,
        *,
        payment_intent: str,
        amount_minor: int,
        key: str,
        op_id: str,
        at: datetime,
        reason: str | None = None,
        workflow_id: str | None = None,
    ) -> Refund:
        """Give back a part of a payment, or all of it.

        Args:
            reason: Stripe's `duplicate`, `fraudulent` or `requested_by_customer`.

        Raises:
            StepBlocked: `payment_request_refused` with reason `charge_already_refunded`,
                `charge_disputed` (a dispute is open), or because it is more than is left.
        """
        params: RefundCreateParams = {
            "payment_intent": payment_intent,
            "amount": amount_minor,
            "metadata": op_metadata(op_id, "refund", key=key, workflow_id=workflow_id),
            "expand": _REFUND["expand"],
        }
        if reason is not None:
            params["reason"] = reason
        return parsing.refund(
            self._order(
                "/refunds",
                params,
                key=key,
                op_id=op_id,
                at=at,
                workflow_id=workflow_id,
                read=self._reading("/refunds", _REFUND),
                find=self._made_in("/refunds", key, {"payment_intent": payment_intent, **_REFUNDS}),
            )
        )

    def retrieve_refund(self, refund_id: str) -> Refund:
        """Raises NotFound."""
        return parsing.refund(self._calls.read(f"/refunds/{refund_id}", _REFUND))

    def find_refund(self, *, payment_intent: str, op_id: str) -> Refund | None:
        """The newest of them."""
        listed = self._calls.read_all("/refunds", {"payment_intent": payment_intent, **_REFUNDS})
        found = with_metadata(listed, "op_id", op_id)
        return None if found is None else parsing.refund(found)

    def refunds_of(self, payment_intent: str) -> list[Refund]:
        """All of a payment, made by us or by hand; newest first."""
        found = self._calls.read_all("/refunds", {"payment_intent": payment_intent, **_REFUNDS})
        return [parsing.refund(each) for each in found]

    def retrieve_dispute(self, dispute_id: str) -> Dispute:
        """Raises NotFound."""
        return parsing.dispute(self._calls.read(f"/disputes/{dispute_id}"))

    def disputes_of(self, charge_id: str) -> list[Dispute]:
        """Newest first."""
        found = self._calls.read_all("/disputes", {"charge": charge_id})
        return [parsing.dispute(each) for each in found]

    def submit_evidence(
        self,
        dispute_id: str,
        evidence: Mapping[str, str],
        *,
        key: str,
        op_id: str,
        at: datetime,
        submit: bool = True,
        workflow_id: str | None = None,
    ) -> Dispute:
        """Answer the bank.

        Args:
            evidence: Stripe's fields of text, such as `access_activity_log`
                (https://docs.stripe.com/api/disputes/evidence_object); 150,000 characters in all.
            submit: send it on to the bank, which takes it once; False: keep it for now.
        """
        params: DisputeUpdateParams = {
            "evidence": cast(DisputeUpdateParamsEvidence, dict(evidence)),
            "submit": submit,
            "metadata": op_metadata(op_id, "dispute", key=key, workflow_id=workflow_id),
        }
        # To send the same evidence once more changes nothing: there is no need to look first.
        return self._dispute_order(
            dispute_id, "", params, key=key, op_id=op_id, at=at, workflow_id=workflow_id
        )

    def close_dispute(
        self,
        dispute_id: str,
        *,
        key: str,
        op_id: str,
        at: datetime,
        workflow_id: str | None = None,
    ) -> Dispute:
        """Accept that it is lost; there is no way back."""
        return self._dispute_order(
            dispute_id, "/close", {}, key=key, op_id=op_id, at=at, workflow_id=workflow_id
        )

    def _dispute_order(
        self,
        dispute_id: str,
        verb: str,
        params: DisputeUpdateParams,
        *,
        key: str,
        op_id: str,
        at: datetime,
        workflow_id: str | None,
    ) -> Dispute:
        read: Read = self._reading("/disputes")
        is_closing = verb == "/close"
        return parsing.dispute(
            self._order(
                f"/disputes/{dispute_id}{verb}",
                params,
                key=key,
                op_id=op_id,
                at=at,
                workflow_id=workflow_id,
                read=read,
                find=self._in_state(read, dispute_id, field="status", among=_LOST)
                if is_closing
                else None,
            )
        )
