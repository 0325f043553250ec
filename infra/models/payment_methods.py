"""Who a fan is to Stripe, and what they pay with. Card numbers are Stripe's alone."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import SmallInteger

from domain.payment_methods import SetupState
from infra.models.base import Base, CreatedAt, Id, Moment, one_of


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
        CheckConstraint("detached_at IS NULL OR removed_at IS NOT NULL", name="detached_at"),
        CheckConstraint("NOT is_default OR removed_at IS NULL", name="default_is_there"),
        Index(
            "uq_payment_methods_default",
            "fan_id",
            unique=True,
            postgresql_where=text("is_default"),
        ),
        Index("ix_payment_methods_fan_id_added_at", "fan_id", "added_at"),
        Index("ix_payment_methods_fingerprint", "fingerprint"),
        Index(
            "ix_payment_methods_to_detach",
            "removed_at",
            postgresql_where=text("removed_at IS NOT NULL AND detached_at IS NULL"),
        ),
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
    """By the fan: it is charged no more from then on."""
    detached_at: Mapped[Moment | None]
    """When Stripe forgot it, too."""


class CardDecline(Base):
    """A card that was refused when its fan wanted to add it."""

    __tablename__ = "card_declines"
    __table_args__ = (Index("ix_card_declines_fan_id_declined_at", "fan_id", "declined_at"),)

    attempt_id: Mapped[str] = mapped_column(primary_key=True)
    """Stripe's, `setatt_…`: however often it is read, it counts once."""
    setup_id: Mapped[Id] = mapped_column(ForeignKey("card_setups.id"))
    fan_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    code: Mapped[str]
    declined_at: Mapped[Moment]


class CardSetup(Base):
    """A fan's wish to add a card, from the form to the confirmed card."""

    __tablename__ = "card_setups"
    __table_args__ = (
        CheckConstraint(one_of("state", SetupState), name="state"),
        CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="closed_at"),
        CheckConstraint("(state = 'succeeded') = (payment_method_id IS NOT NULL)", name="card"),
        CheckConstraint("client_secret IS NULL OR state = 'open'", name="secret_while_needed"),
        UniqueConstraint("setup_intent_id"),
        Index("ix_card_setups_fan_id_created_at", "fan_id", "created_at"),
        Index("ix_card_setups_open", "created_at", postgresql_where=text("state = 'open'")),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    fan_id: Mapped[Id] = mapped_column(ForeignKey("users.id"))
    state: Mapped[str]
    setup_intent_id: Mapped[str | None]
    client_secret: Mapped[str | None]
    """With which the fan's browser hands the card to Stripe; null before Stripe gave it."""
    decline_code: Mapped[str | None]
    """Of the last card that was refused; another may follow in the same setup."""
    payment_method_id: Mapped[str | None] = mapped_column(ForeignKey("payment_methods.id"))
    created_at: Mapped[CreatedAt]
    closed_at: Mapped[Moment | None]
