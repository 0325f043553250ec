"""What moderation makes of what was found in a picture or in a video's frames.

A model finds labels and a block list finds known pictures; the rules here turn both into one
outcome. The model's recall is modest: it labels and routes, and an absent label clears nothing.

PDQ is Meta's perceptual hash (ThreatExchange, "PDQ" reference): 256 bits and a quality of 0 to
100; two pictures are taken for the same at a Hamming distance of at most 31, and a hash of a
quality below 50 comes from too little structure to say anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

PDQ_BITS = 256
PDQ_HEX_DIGITS = PDQ_BITS // 4

EXPLICIT_LABELS = frozenset(
    {
        "ANUS_EXPOSED",
        "BUTTOCKS_EXPOSED",
        "FEMALE_BREAST_EXPOSED",
        "FEMALE_GENITALIA_EXPOSED",
        "MALE_GENITALIA_EXPOSED",
    }
)
"""NudeNet's labels that make a media adult content. The others (faces, feet, covered parts)
say nothing that moderation needs, and are kept only where an operator holds by one of them.
"""


class Outcome(StrEnum):
    """From mild to strict."""

    PASS = "pass"
    LABEL = "label"
    """Published, marked as adult content."""
    HOLD = "hold"
    """Complete, but shown to nobody until a person has judged it."""
    BLOCK = "block"


@dataclass(frozen=True)
class Label:
    """What the model saw, and how sure it was (0–1)."""

    name: str
    score: float


@dataclass(frozen=True)
class PdqHash:
    """Of one picture, with the hashes it would have if mirrored or turned by quarters."""

    hash_hex: str
    quality: int
    variants: tuple[str, ...] = ()


@dataclass(frozen=True)
class BlockMatch:
    """A picture on the block list, and how many of 256 bits tell ours from it."""

    hash_hex: str
    distance: int


@dataclass(frozen=True)
class ModerationPolicy:
    score_min: float
    hold_labels: frozenset[str]
    pdq_distance_max: int
    pdq_quality_min: int


@dataclass(frozen=True)
class Verdict:
    outcome: Outcome
    labels: tuple[Label, ...] = ()
    """Those that count, each once with its best score, surest first."""
    match: BlockMatch | None = None
    """The nearest entry of the block list, where one is near enough."""


def hamming(one_hex: str, other_hex: str) -> int:
    """How many bits differ between two hashes of 64 hex digits."""
    return (int(one_hex, 16) ^ int(other_hex, 16)).bit_count()


def nearest_match(
    found: PdqHash, blocked: Iterable[str], policy: ModerationPolicy
) -> BlockMatch | None:
    """The entry nearest to the picture in any orientation, if it is near enough.

    The plain form of the rule; `infra.moderation` applies the same one to long lists.
    """
    if found.quality < policy.pdq_quality_min:
        return None
    forms = {found.hash_hex, *found.variants}
    nearest = min(
        (BlockMatch(entry, min(hamming(form, entry) for form in forms)) for entry in blocked),
        key=lambda match: match.distance,
        default=None,
    )
    return nearest if nearest is not None and is_same_picture(nearest, policy) else None


def is_same_picture(match: BlockMatch, policy: ModerationPolicy) -> bool:
    return match.distance <= policy.pdq_distance_max


def decide(
    labels: Iterable[Label], matches: Iterable[BlockMatch], policy: ModerationPolicy
) -> Verdict:
    """One outcome for a media: of one picture, or of all frames looked at.

    A match blocks, whatever else was seen. A label by which the operator holds comes next;
    any other label that counts marks the media as adult content.
    """
    near = [match for match in matches if is_same_picture(match, policy)]
    match = min(near, key=lambda each: each.distance, default=None)
    counted = _counted(labels, policy)
    if match is not None:
        outcome = Outcome.BLOCK
    elif any(label.name in policy.hold_labels for label in counted):
        outcome = Outcome.HOLD
    elif counted:
        outcome = Outcome.LABEL
    else:
        outcome = Outcome.PASS
    return Verdict(outcome, counted, match)


def _counted(labels: Iterable[Label], policy: ModerationPolicy) -> tuple[Label, ...]:
    best: dict[str, float] = {}
    for label in labels:
        is_of_interest = label.name in EXPLICIT_LABELS or label.name in policy.hold_labels
        if is_of_interest and label.score >= policy.score_min:
            best[label.name] = max(label.score, best.get(label.name, 0.0))
    ordered = sorted(best.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Label(name, round(score, 3)) for name, score in ordered)
