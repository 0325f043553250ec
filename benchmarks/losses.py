"""What was acknowledged, and what became of it: counted from what the store says afterwards."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.result import Result, compare


@dataclass(frozen=True, slots=True)
class Losses:
    """Of one side, over all kills. Seconds are from the first order to the last one done."""

    side: str
    kills: int
    acknowledged: int
    done: int
    held_back: int
    """Not done by the deadline, but their broker would give them out again some day."""
    lost: int
    """Not done by the deadline, and nobody knows of them."""
    again: int
    """Steps begun more than once, each time beyond the first."""
    doubled: int
    """Objects or rows that nobody asked for, or that are there twice."""
    seconds: float
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def count_losses(
    side: str,
    *,
    kills: int,
    acknowledged: Collection[str],
    states: Mapping[str, str],
    held: Collection[str],
    begun: Mapping[tuple[str, str], int],
    objects: Mapping[str, Collection[str]],
    rows: Mapping[str, Collection[str]],
    seconds: float,
    note: str = "",
) -> Losses:
    """Hold what was acknowledged against what is there.

    Args:
        acknowledged: media whose job the caller was told is taken.
        states: of the media, by id.
        held: media whose job is still known to the broker, or to Temporal.
        begun: how often each step (media, step) was begun.
        objects: keys in storage of each media's renditions.
        rows: keys that rows of renditions name, one for each row.

    Raises:
        ValueError: a job is acknowledged twice, which would hide a lost one.
    """
    if len(set(acknowledged)) != len(acknowledged):
        raise ValueError(f"{side}: a job was acknowledged twice")
    undone = [each for each in acknowledged if states.get(each) != "ready"]
    held_back = [each for each in undone if each in held]
    return Losses(
        side=side,
        kills=kills,
        acknowledged=len(acknowledged),
        done=len(acknowledged) - len(undone),
        held_back=len(held_back),
        lost=len(undone) - len(held_back),
        again=sum(times - 1 for times in begun.values() if times > 1),
        doubled=sum(
            _doubled(objects.get(each, ()), rows.get(each, ()))
            for each in acknowledged
            if states.get(each) == "ready"
        ),
        seconds=round(seconds, 1),
        note=note,
    )


def _doubled(objects: Collection[str], rows: Collection[str]) -> int:
    """Rows for one key beyond the first, and objects that no row names."""
    named = set(rows)
    return len(rows) - len(named) + len(set(objects) - named)


def compare_done(ours: Losses, peer: Losses) -> Result:
    """How many were done, against the peer's. One that ours has not done counts as all of them:
    that goal is missed however much the peer lost."""
    return compare(
        f"pictures done in spite of {ours.kills} kills, against {peer.side}",
        ours=[ours.done if ours.done == ours.acknowledged else 0],
        peer=[max(peer.done, 1)],
        unit="pictures",
        at_least=1.0,
        note="; ".join(f"{name}: {_told(each)}" for name, each in (("ours", ours), ("peer", peer))),
    )


def _told(losses: Losses) -> str:
    return (
        f"{losses.done} of {losses.acknowledged} done, {losses.lost} lost, "
        f"{losses.held_back} held back, {losses.again} steps again, {losses.doubled} doubled, "
        f"{losses.seconds:.0f} s"
    )
