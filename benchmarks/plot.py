"""`docs/images/growth.svg`: how cost grows, from what was kept of the newest whole run.

The same points give the same bytes: no date, no random ids, and text that stays text.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from benchmarks.growth_points import Point, curves

PLOT = Path(__file__).parents[1] / "docs" / "images" / "growth.svg"
INCHES = (10.0, 4.2)
MARKERS = "osD^vPX"
PANELS = (
    ("media", "Small pictures ordered at once", "seconds for each"),
    ("subscriptions", "Subscriptions in the database", "milliseconds"),
)
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "growth",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def plot(points: Sequence[Point]) -> str:
    """Two panels with logarithmic axes, as SVG."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=INCHES, layout="constrained")
        for axes, (of, title, unit) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
            _panel(axes, curves(points, of), title=title, unit=unit)
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines()) + "\n"


def _panel(axes: Axes, found: dict[str, list[Point]], *, title: str, unit: str) -> None:
    for marker, (what, curve) in zip(MARKERS, found.items(), strict=False):
        axes.plot(
            [each.size for each in curve],
            [each.median for each in curve],
            marker=marker,
            markersize=4,
            linewidth=1.2,
            label=what,
        )
    axes.set(xscale="log", yscale="log", title=title, xlabel="how many", ylabel=unit)
    # 0.05 and 1,000 are read at a glance, powers of ten are not.
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.10g}")
        axis.set_minor_formatter(NullFormatter())
    axes.grid(visible=True, which="major", alpha=0.3)
    if found:
        axes.legend(fontsize=7, frameon=False)
