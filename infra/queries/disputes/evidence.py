"""Putting the evidence for a dispute together."""

from __future__ import annotations

from sqlalchemy import and_, func, or_, select, union_all
from sqlalchemy.orm import Session

from domain.charges.states import ChargeKind, ChargeState
from domain.evidence import ACCESSES_MAX, Access, EvidenceFacts, evidence_for
from domain.money import Money
from infra.models import AccessEntry, Charge, Dispute, MessageMedia, PostMedia, Unlock, User
from infra.models.refunds import AccessedItem


def keep_evidence(session: Session, charge: Charge, dispute: Dispute) -> None:
    """Write the evidence as it is now into the row, unless an answer was decided on already."""
    if dispute.answer is None and dispute.evidence_submitted_at is None:
        dispute.evidence = evidence_for(_facts(session, charge))
        session.flush()


def _facts(session: Session, charge: Charge) -> EvidenceFacts:
    fan = session.get_one(User, charge.fan_id)
    creator = session.get_one(User, charge.creator_id)
    assert charge.paid_at is not None, "what is disputed was paid"
    undisputed = session.scalar(
        select(func.count()).where(
            Charge.fan_id == fan.id,
            Charge.state == ChargeState.PAID,
            Charge.disputed_at.is_(None),
            Charge.id != charge.id,
        )
    )
    return EvidenceFacts(
        charge_id=charge.id,
        kind=ChargeKind(charge.kind),
        amount=Money(charge.amount_minor, charge.currency),
        paid_at=charge.paid_at,
        fan_handle=fan.handle,
        fan_name=fan.display_name,
        fan_email=fan.email,
        fan_since=fan.created_at,
        creator_handle=creator.handle,
        refunded=Money(charge.refunded_minor, charge.currency),
        undisputed_before=undisputed or 0,
        accesses=_accesses(session, charge),
    )


def _accesses(session: Session, charge: Charge) -> list[Access]:
    """What the fan opened of this creator's since they paid; of an unlock, only the post or
    message that it opened and what that carries."""
    wanted = (
        select(AccessEntry)
        .where(
            AccessEntry.fan_id == charge.fan_id,
            AccessEntry.creator_id == charge.creator_id,
            AccessEntry.at >= charge.paid_at,
        )
        .order_by(AccessEntry.at.desc())
        .limit(ACCESSES_MAX)
    )
    if charge.kind == ChargeKind.UNLOCK:
        unlock = session.get_one(Unlock, charge.subject_id)
        carried = union_all(
            select(PostMedia.media_id).where(PostMedia.post_id == unlock.post_id),
            select(MessageMedia.media_id).where(MessageMedia.message_id == unlock.message_id),
        )
        wanted = wanted.where(
            or_(
                and_(
                    AccessEntry.item_type == AccessedItem.POST,
                    AccessEntry.item_id == unlock.post_id,
                ),
                and_(
                    AccessEntry.item_type == AccessedItem.MESSAGE,
                    AccessEntry.item_id == unlock.message_id,
                ),
                and_(
                    AccessEntry.item_type == AccessedItem.MEDIA,
                    AccessEntry.item_id.in_(carried),
                ),
            )
        )
    return [
        Access(each.at, f"{each.item_type} {each.item_id}", each.address, each.agent)
        for each in session.scalars(wanted)
    ]
