"""What more of it costs: media through everything, and a database full of subscriptions.

Media: 1 to 1,000 small pictures ordered at once, in seconds and in processor seconds of all parts
of the stack, each beside the bare render of the same picture. Subscriptions: 1,000 to 100,000, and
what each sweep, decision, feed and proof of the ledger takes then. An open run has a price at
Temporal, too, which is measured with some hundreds and told of more as what it is: reckoned.
"""

from __future__ import annotations

from benchmarks import growth_media, growth_runs, growth_subscriptions
from benchmarks.growth_points import Point
from benchmarks.kept import keep
from benchmarks.result import Result, compare

ROUNDS_MAX = 3
SAME_COST = 1.2
"""Ten or a hundred times as many may cost each so much more."""


def run(rounds: int) -> list[Result]:
    rounds_here = min(rounds, ROUNDS_MAX)
    points = [
        *growth_media.measure(rounds_here),
        *growth_subscriptions.measure(rounds_here),
        *growth_runs.measure(),
    ]
    keep("growth", [each.as_json() for each in points], rounds=rounds)
    return [*_media(points), *_subscriptions(points)]


def _media(points: list[Point]) -> list[Result]:
    few, many = growth_media.SIZES[-2:]
    return [
        _flat(points, f"{what}: {many:,} pictures at once, against {few}", what, many, few, unit)
        for what, unit in ((growth_media.SECONDS, "s"), (growth_media.PROCESSOR, "s"))
    ] + [
        compare(
            f"{growth_media.PROCESSOR}, against the bare render, {many:,} pictures",
            ours=_of(points, growth_media.PROCESSOR, many).values,
            peer=_of(points, growth_media.BARE_PROCESSOR, many).values,
            unit="s",
            at_most=3.0,
            note="a picture of 0.1 MP, of which little is rendering",
        )
    ]


def _subscriptions(points: list[Point]) -> list[Result]:
    few, _, many = growth_subscriptions.SIZES
    return [
        _flat(points, f"{what}: {many:,} subscriptions, against {few:,}", what, many, few, "ms")
        for what in growth_subscriptions.FLAT
    ]


def _flat(points: list[Point], name: str, what: str, many: int, few: int, unit: str) -> Result:
    larger = _of(points, what, many)
    return compare(
        name,
        ours=larger.values,
        peer=_of(points, what, few).values[: len(larger.values)],
        unit=unit,
        at_most=SAME_COST,
    )


def _of(points: list[Point], what: str, size: int) -> Point:
    return next(each for each in points if (each.what, each.size) == (what, size))
