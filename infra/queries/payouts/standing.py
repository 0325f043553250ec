"""How a creator stands before a payout: all that `decide_payout` asks for, in few statements."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.ledger.accounts import AccountKind
from domain.payouts.eligibility import AccountFacts, Standing
from domain.payouts.states import BUSY
from domain.refunds import RefundState
from infra.models import Charge, ConnectedAccount, CreatorMoney, Payout, Refund, User
from infra.queries.ledger.posting import balance_of


def standing_of(
    session: Session,
    creator_id: str,
    currency: str,
    *,
    platform_minor: int | None = None,
    apart_from: str | None = None,
) -> Standing:
    """Read under the lock of the creator's money where something is to follow from it.

    Args:
        platform_minor: what Stripe has available for transfers, where it was asked.
        apart_from: a payout that does not count as one in progress: the one it is for.
    """
    owner = {"currency": currency, "creator_id": creator_id}
    account = session.get(ConnectedAccount, creator_id, populate_existing=True)
    money = session.get(CreatorMoney, creator_id)
    user = session.get_one(User, creator_id)
    return Standing(
        currency=currency,
        available_minor=balance_of(session, AccountKind.AVAILABLE, **owner),
        owed_minor=-balance_of(session, AccountKind.DEBT, **owner),
        held_minor=balance_of(session, AccountKind.DISPUTE_HOLD, **owner),
        account=None if account is None else account_facts(account),
        is_suspended=user.suspended_at is not None or user.deleted_at is not None,
        is_blocked=money is not None and money.payouts_blocked_reason is not None,
        is_refunding=_is_refunding(session, creator_id, currency),
        is_busy=_has_another(session, creator_id, currency, apart_from),
        platform_minor=platform_minor,
    )


def account_facts(account: ConnectedAccount) -> AccountFacts:
    return AccountFacts(
        details_submitted=account.details_submitted,
        payouts_enabled=account.payouts_enabled and account.transfers_enabled,
        default_currency=account.default_currency,
        requirements_due=len(account.requirements_due),
        disabled_reason=account.disabled_reason,
    )


def last_account_id(session: Session, creator_id: str) -> str | None:
    """To which account this creator's latest payout went that has reached a bank."""
    return session.scalar(
        select(Payout.account_id)
        .where(Payout.creator_id == creator_id, Payout.state.in_(("paid", "settled")))
        .order_by(Payout.created_at.desc(), Payout.id.desc())
        .limit(1)
    )


def _is_refunding(session: Session, creator_id: str, currency: str) -> bool:
    """Whether a refund will take of what is available, and has not yet."""
    asked = (
        select(Refund.id)
        .join(Charge, Charge.id == Refund.charge_id)
        .where(
            Charge.creator_id == creator_id,
            Refund.currency == currency,
            Refund.state == RefundState.REQUESTED.value,
        )
    )
    return bool(session.scalar(select(asked.exists())))


def _has_another(session: Session, creator_id: str, currency: str, apart_from: str | None) -> bool:
    others = select(func.count()).where(
        Payout.creator_id == creator_id,
        Payout.currency == currency,
        Payout.state.in_([state.value for state in BUSY]),
    )
    if apart_from is not None:
        others = others.where(Payout.id != apart_from)
    return bool(session.scalar(others))
