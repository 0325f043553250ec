"""The ledger: accounts, journals, their entries and balances, and the lots of what was earned.

Written by `infra.queries.ledger` only. Triggers hold what a CHECK can't: a journal balances,
nothing posted changes, balances and the parts of lots follow from what is posted.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from domain.ledger.accounts import (
    CREATOR_KINDS,
    DEBITS_ONLY,
    AccountKind,
    JournalKind,
    LotPart,
    OwnerType,
)
from domain.ledger.postings import SaleSource
from infra.models.base import Base, Bytes64, CreatedAt, Id, Moment, one_of


def _among(kinds: frozenset[AccountKind]) -> str:
    return "kind IN (" + ", ".join(f"'{kind}'" for kind in AccountKind if kind in kinds) + ")"


_REMAINING = (
    "amount_minor - refunded_minor - reserved_minor - paid_out_minor - held_minor - debt_paid_minor"
)


class CreatorMoney(Base):
    """What holds for one creator's money. Its lock serialises everything that moves it."""

    __tablename__ = "creator_money"
    __table_args__ = (
        CheckConstraint("fee_bps BETWEEN 0 AND 10000", name="fee_bps"),
        CheckConstraint("hold_days BETWEEN 0 AND 365", name="hold_days"),
        CheckConstraint(
            "post_price_minor_max BETWEEN 100 AND 1000000", name="post_price_minor_max"
        ),
    )

    creator_id: Mapped[Id] = mapped_column(ForeignKey("users.id"), primary_key=True)
    fee_bps: Mapped[int | None]
    """The platform's part after tax, in basis points; null: the setting."""
    hold_days: Mapped[int | None]
    """How long an earning waits until it is available; null: the setting."""
    post_price_minor_max: Mapped[int | None]
    """What a post may cost at most, in minor units of any currency; null: what holds for all."""
    payouts_blocked_reason: Mapped[str | None]
    created_at: Mapped[CreatedAt]


class LedgerAccount(Base):
    __tablename__ = "ledger_accounts"
    __table_args__ = (
        CheckConstraint(one_of("owner_type", OwnerType), name="owner_type"),
        CheckConstraint(one_of("kind", AccountKind), name="kind"),
        CheckConstraint("(owner_type = 'creator') = (owner_id IS NOT NULL)", name="owner"),
        CheckConstraint(
            f"(owner_type = 'creator') = ({_among(CREATOR_KINDS)})", name="kind_fits_owner"
        ),
        CheckConstraint(
            "allow_negative = (owner_type = 'platform' OR kind = 'debt')", name="allow_negative"
        ),
        CheckConstraint(f"allow_positive = (NOT {_among(DEBITS_ONLY)})", name="allow_positive"),
        UniqueConstraint(
            *("owner_type", "owner_id", "kind", "currency"), postgresql_nulls_not_distinct=True
        ),
        UniqueConstraint("id", "currency"),
        UniqueConstraint("id", "allow_negative", "allow_positive"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    """Made from owner, kind and currency, so that nobody has to look it up."""
    owner_type: Mapped[str]
    owner_id: Mapped[Id | None] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str]
    currency: Mapped[str] = mapped_column(String(3))
    allow_negative: Mapped[bool]
    allow_positive: Mapped[bool]
    created_at: Mapped[CreatedAt]


class AccountBalance(Base):
    """The sum of an account's entries, kept by the trigger that sees them come."""

    __tablename__ = "account_balances"
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "allow_negative", "allow_positive"],
            [
                "ledger_accounts.id",
                "ledger_accounts.allow_negative",
                "ledger_accounts.allow_positive",
            ],
        ),
        CheckConstraint("allow_negative OR posted_minor >= 0", name="never_negative"),
        CheckConstraint("allow_positive OR posted_minor <= 0", name="never_positive"),
    )

    account_id: Mapped[Id] = mapped_column(primary_key=True)
    allow_negative: Mapped[bool]
    allow_positive: Mapped[bool]
    posted_minor: Mapped[Bytes64] = mapped_column(server_default=text("0"))
    version: Mapped[Bytes64] = mapped_column(server_default=text("0"))
    """How many statements have posted to it."""


class Journal(Base):
    """One event, posted once. Never changed; what was wrong is taken back by another one."""

    __tablename__ = "journals"
    __table_args__ = (
        CheckConstraint(one_of("kind", JournalKind), name="kind"),
        UniqueConstraint("event_key"),
        UniqueConstraint("reverses_id"),
        Index("ix_journals_creator_id_effective_at_id", "creator_id", "effective_at", "id"),
        Index("ix_journals_effective_at", "effective_at"),
        Index("ix_journals_charge_id", "charge_id", postgresql_where=text("charge_id IS NOT NULL")),
        Index(
            "ix_journals_stripe_ref", "stripe_ref", postgresql_where=text("stripe_ref IS NOT NULL")
        ),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    """Made from the event key."""
    event_key: Mapped[str]
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    """SHA-256 of what was to be posted, to tell a repeat from another event."""
    kind: Mapped[str]
    effective_at: Mapped[Moment]
    created_at: Mapped[CreatedAt]
    workflow_id: Mapped[str | None]
    stripe_ref: Mapped[str | None]
    """The source of Stripe's balance transactions that it mirrors."""
    charge_id: Mapped[Id | None]
    creator_id: Mapped[Id | None] = mapped_column(ForeignKey("users.id"))
    reverses_id: Mapped[Id | None] = mapped_column(ForeignKey("journals.id"))
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    """Tells which of two journals of one moment was posted first."""
    posted_in: Mapped[int] = mapped_column(
        BigInteger, server_default=text("(pg_current_xact_id()::text)::bigint")
    )
    """The transaction that posted it: only there it takes entries and movements."""


class JournalEntry(Base):
    """Credit positive, debit negative."""

    __tablename__ = "journal_entries"
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "currency"], ["ledger_accounts.id", "ledger_accounts.currency"]
        ),
        CheckConstraint("amount_minor <> 0", name="amount_minor"),
        Index("ix_journal_entries_account_id_journal_id", "account_id", "journal_id"),
    )

    journal_id: Mapped[Id] = mapped_column(ForeignKey("journals.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    account_id: Mapped[Id]
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[Bytes64]


class EarningLot(Base):
    """A creator's share of one paid charge, and what became of it.

    Every part is the sum of the lot's movements, kept by the trigger that sees them come.
    """

    __tablename__ = "earning_lots"
    __table_args__ = (
        CheckConstraint(one_of("source", SaleSource), name="source"),
        CheckConstraint(
            "tax_minor >= 0 AND commission_minor >= 0 AND amount_minor >= 0", name="sale"
        ),
        CheckConstraint(
            "refunded_minor >= 0 AND reserved_minor >= 0 AND paid_out_minor >= 0 "
            "AND held_minor >= 0 AND debt_paid_minor >= 0",
            name="parts",
        ),
        CheckConstraint(f"({_REMAINING}) >= 0", name="remaining"),
        CheckConstraint(
            "returned_tax_minor BETWEEN 0 AND tax_minor "
            "AND returned_commission_minor BETWEEN 0 AND commission_minor "
            "AND returned_share_minor BETWEEN 0 AND amount_minor",
            name="returned",
        ),
        CheckConstraint(
            "released_at IS NOT NULL OR (reserved_minor + paid_out_minor + debt_paid_minor) = 0",
            name="pending_is_not_spent",
        ),
        Index(
            "ix_earning_lots_due",
            "available_at",
            "creator_id",
            postgresql_where=text("released_at IS NULL"),
        ),
        Index(
            "ix_earning_lots_waiting",
            *("creator_id", "available_at"),
            postgresql_where=text("released_at IS NULL"),
        ),
        Index(
            "ix_earning_lots_available",
            *("creator_id", "currency", "available_at", "id"),
            postgresql_where=text("released_at IS NOT NULL AND remaining_minor > 0"),
        ),
        Index(
            "ix_earning_lots_debt_paid",
            *("creator_id", "currency"),
            postgresql_where=text("debt_paid_minor > 0"),
        ),
        Index("ix_earning_lots_creator_id_earned_at_id", "creator_id", "earned_at", "id"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    """The charge's."""
    creator_id: Mapped[Id] = mapped_column(ForeignKey("creator_money.creator_id"))
    currency: Mapped[str] = mapped_column(String(3))
    source: Mapped[str]
    tax_minor: Mapped[Bytes64]
    commission_minor: Mapped[Bytes64]
    amount_minor: Mapped[Bytes64]
    """The creator's share of the sale. With tax and commission: what the fan paid."""
    refunded_minor: Mapped[Bytes64] = mapped_column(server_default=text("0"))
    """Taken for refunds and lost disputes, of this charge or of another one."""
    reserved_minor: Mapped[Bytes64] = mapped_column(server_default=text("0"))
    paid_out_minor: Mapped[Bytes64] = mapped_column(server_default=text("0"))
    held_minor: Mapped[Bytes64] = mapped_column(server_default=text("0"))
    debt_paid_minor: Mapped[Bytes64] = mapped_column(server_default=text("0"))
    remaining_minor: Mapped[Bytes64] = mapped_column(Computed(_REMAINING, persisted=True))
    returned_tax_minor: Mapped[Bytes64] = mapped_column(server_default=text("0"))
    """Of this charge: what went back to the fan or is disputed, as are the next two."""
    returned_commission_minor: Mapped[Bytes64] = mapped_column(server_default=text("0"))
    returned_share_minor: Mapped[Bytes64] = mapped_column(server_default=text("0"))
    earned_at: Mapped[Moment]
    available_at: Mapped[Moment]
    """When its wait is over. Stays, whatever is taken and given back."""
    released_at: Mapped[Moment | None]
    """When it became available; until then it is pending."""


class LotMovement(Base):
    """What a journal did to a lot. Never changed; the rows of a journal can be taken back."""

    __tablename__ = "lot_movements"
    __table_args__ = (
        CheckConstraint(one_of("part", LotPart), name="part"),
        CheckConstraint("amount_minor <> 0", name="amount_minor"),
        Index("ix_lot_movements_lot_id", "lot_id"),
    )

    journal_id: Mapped[Id] = mapped_column(ForeignKey("journals.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    lot_id: Mapped[Id] = mapped_column(ForeignKey("earning_lots.id"))
    part: Mapped[str]
    amount_minor: Mapped[Bytes64]
