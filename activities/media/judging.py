"""What moderation finds, and how it is written to the media row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import select

from activities.parts import WorkerParts
from infra.db import transaction
from infra.models import BlockedHash, Media
from infra.moderation import BlockList, Judged


def judge_pictures(
    parts: WorkerParts,
    pictures: Sequence[Path],
    *,
    on_frame: Callable[[int], None] | None = None,
) -> Judged:
    """Labels and block list over one picture or the frames of a video; see `Judge.judge`."""
    with transaction(parts.engine) as session:
        blocked = BlockList(session.scalars(select(BlockedHash.pdq_hash)))
    return parts.judge.judge(pictures, blocked, on_frame=on_frame)


def record_judgement(media: Media, judged: Judged) -> None:
    media.moderation_outcome = judged.verdict.outcome.value
    media.moderation_labels = [asdict(label) for label in judged.verdict.labels]
    media.pdq_hash = judged.pdq.hash_hex if judged.pdq is not None else None
