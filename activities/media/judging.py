"""What moderation found, written to the media row."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from domain.media.moderation import Label
from sqlalchemy import select
from sqlalchemy.orm import Session

from infra.models import BlockedHash, Media


@dataclass(frozen=True)
class Judgement:
    """Outcome (`pass`, `label`, `hold`, `block`), labels seen, hash of the picture or poster."""

    outcome: str
    labels: tuple[Label, ...]
    pdq_hash: str | None


def record_judgement(session: Session, media: Media, judgement: Judgement) -> None:
    media.moderation_outcome = judgement.outcome
    media.moderation_labels = [asdict(label) for label in judgement.labels]
    media.pdq_hash = judgement.pdq_hash


def block_list(session: Session) -> list[str]:
    """Hashes that may not be published."""
    return list(session.scalars(select(BlockedHash.pdq_hash)))
