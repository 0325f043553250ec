"""Who a fan is to Stripe, and what they pay with. Card numbers are Stripe's alone."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import SmallInteger

from infra.models.base import Base, CreatedAt, Id, Moment


class StripeCustomer(Base):
    __tablename__ = "stripe_customers"
    __table_args__ = (UniqueConstraint("customer_id"),)

    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id"), primary_key=True)
    customer_id: Mapped[str]
    created_at: Mapped[CreatedAt]


class PaymentMethod(Base):
    """A card that a fan has set up, as Stripe describes it."""

    __tablename__ = "payment_methods"
    __table_args__ = (
        CheckConstraint("exp_month BETWEEN 1 AND 12", name="exp_month"),
        CheckConstraint("NOT is_default OR removed_at IS NULL", name="default_is_there"),
        Index(
            "uq_payment_methods_default",
            "fan_id",
            unique=True,
            postgresql_where=text("is_default"),
        ),
        Index("ix_payment_methods_fan_id_added_at", "fan_id", "added_at"),
        Index("ix_payment_methods_fingerprint", "fingerprint"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    """Stripe's, `pm_…`."""
    fan_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    brand: Mapped[str]
    last4: Mapped[str]
    exp_month: Mapped[int] = mapped_column(SmallInteger)
    exp_year: Mapped[int] = mapped_column(SmallInteger)
    fingerprint: Mapped[str | None]
    country: Mapped[str | None]
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))
    added_at: Mapped[CreatedAt]
    removed_at: Mapped[Moment | None]
