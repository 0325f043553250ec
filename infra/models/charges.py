"""Charges: each try to take money, whatever it is for."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from domain.charges.states import ChargeKind, ChargeState, DeclineKind
from infra.models.base import Base, Bytes64, CreatedAt, Id, Moment, one_of


class Charge(Base):
    """Written by `infra/queries/charges` only."""

    __tablename__ = "charges"
    __table_args__ = (
        CheckConstraint(one_of("kind", ChargeKind), name="kind"),
        CheckConstraint(one_of("state", ChargeState), name="state"),
        CheckConstraint(
            f"decline_kind IS NULL OR {one_of('decline_kind', DeclineKind)}", name="decline_kind"
        ),
        CheckConstraint("generation > 0", name="generation"),
        CheckConstraint("amount_minor > 0", name="amount_minor"),
        CheckConstraint("tax_minor >= 0 AND tax_minor < amount_minor", name="tax_minor"),
        CheckConstraint(
            "refunded_minor >= 0 AND refunded_minor <= amount_minor", name="refunded_minor"
        ),
        CheckConstraint("(state = 'paid') = (paid_at IS NOT NULL)", name="paid_has_a_time"),
        CheckConstraint(
            "(state IN ('paid', 'declined', 'canceled')) = (closed_at IS NOT NULL)",
            name="closed_has_a_time",
        ),
        CheckConstraint(
            "state <> 'paid' OR (payment_intent_id IS NOT NULL AND stripe_charge_id IS NOT NULL)",
            name="paid_is_known_to_stripe",
        ),
        CheckConstraint(
            "state = 'paid' OR (refunded_minor = 0 AND disputed_at IS NULL)",
            name="only_paid_is_given_back",
        ),
        CheckConstraint(
            "client_secret IS NULL OR state = 'requires_action'", name="secret_while_needed"
        ),
        UniqueConstraint("subject_id", "step", "generation"),
        UniqueConstraint("payment_intent_id"),
        UniqueConstraint("stripe_charge_id"),
        # What can't happen twice, whatever the code above does: two tries at once for one
        # thing, and one thing paid twice.
        Index(
            "uq_charges_one_under_way",
            "subject_id",
            "step",
            unique=True,
            postgresql_where=text("state IN ('open', 'requires_action', 'processing')"),
        ),
        Index(
            "uq_charges_one_paid",
            "subject_id",
            "step",
            unique=True,
            postgresql_where=text("state = 'paid'"),
        ),
        Index("ix_charges_fan_id_created_at_id", "fan_id", "created_at", "id"),
        Index(
            "ix_charges_creator_id_paid_at_id",
            "creator_id",
            "paid_at",
            "id",
            postgresql_where=text("state = 'paid'"),
        ),
        Index(
            "ix_charges_under_way",
            "created_at",
            postgresql_where=text("state IN ('open', 'requires_action', 'processing')"),
        ),
        Index(
            "ix_charges_unfinished",
            "paid_at",
            postgresql_where=text(
                "state = 'paid' AND (fee_recorded_at IS NULL OR (tax_calculation_id IS NOT NULL "
                "AND tax_transaction_id IS NULL))"
            ),
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    """Derived from subject, step and generation."""
    kind: Mapped[str]
    subject_id: Mapped[Id]
    """A row of the slice that `kind` names."""
    step: Mapped[str]
    """Which of the subject's charges: `charge`, or of a subscription `period:3`."""
    generation: Mapped[int]
    """Which try of the step, from 1."""
    fan_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    amount_minor: Mapped[Bytes64]
    tax_minor: Mapped[Bytes64] = mapped_column(server_default=text("0"))
    """What of the amount is tax: prices are what people pay, with the tax in them."""
    tax_calculation_id: Mapped[str | None]
    tax_transaction_id: Mapped[str | None]
    """With which Stripe reports the tax of a paid charge."""
    currency: Mapped[str] = mapped_column(String(3))
    payment_method_id: Mapped[str]
    """Stripe's."""
    off_session: Mapped[bool]
    workflow_id: Mapped[str]
    """Whose run owns it, and is told of news."""
    state: Mapped[str]
    payment_intent_id: Mapped[str | None]
    stripe_charge_id: Mapped[str | None]
    client_secret: Mapped[str | None]
    """With which the fan's browser confirms; goes when it is not needed any more."""
    fingerprint: Mapped[str | None]
    """Of the card's number, the same wherever it is used."""
    decline_code: Mapped[str | None]
    decline_kind: Mapped[str | None]
    refunded_minor: Mapped[Bytes64] = mapped_column(server_default=text("0"))
    disputed_at: Mapped[Moment | None]
    """When the first chargeback came that stands or was lost; null again where it was won."""
    fee_recorded_at: Mapped[Moment | None]
    """When Stripe's fee for it was posted: its balance transaction may come after the payment."""
    created_at: Mapped[CreatedAt]
    paid_at: Mapped[Moment | None]
    closed_at: Mapped[Moment | None]
