"""What figures 10a to 10c share: a panel an operator, checkpoints in training order."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline_lib.checkpoints.names import FINAL, tick_labels
from pipeline_lib.figures.style import NEUTRAL, operator_panels, say

TICKS = 8
"""At most this many checkpoints have a label."""
HEIGHT = 2.1


def all_names(settings: Mapping[str, Any]) -> list[str]:
    """Names on the axis: the checkpoints in training order, then the model itself."""
    return [*settings["checkpoints"], FINAL]


def panels_over_training(
    operators: Sequence[str], names: Sequence[str], label: str, **options: Any
) -> tuple[Figure, dict[str, Axes]]:
    """One panel an operator on one y axis; checkpoints stand at 0, 1, 2, ... on the x axis."""
    figure, panels = operator_panels(operators, HEIGHT, sharey=True, sharex=True, **options)
    labels, of_what = tick_labels(names)
    every = -(-len(names) // TICKS)
    # counted from the end, so that the final model keeps its label
    shown = list(range(len(names) - 1, -1, -every))[::-1]
    for axes in panels.values():
        axes.set_xticks(shown, [labels[place] for place in shown], rotation=60)
        axes.set_xlim(-0.4, len(names) - 0.6)
        axes.set_xlabel(f"training {of_what}")
    next(iter(panels.values())).set_ylabel(label)
    return figure, panels


def draw_line(
    axes: Axes, rows: pd.DataFrame, names: Sequence[str], value: str, colour: str, **options: Any
) -> None:
    """One value of each checkpoint; those without a row, or with NaN, leave a gap in the line."""
    by_name = rows.set_index("checkpoint")[value].reindex(names)
    places = np.arange(len(names))
    axes.plot(places, by_name.to_numpy(dtype=np.float64), color=colour, **options)


def draw_band(
    axes: Axes,
    rows: pd.DataFrame,
    names: Sequence[str],
    colour: str,
    ends: tuple[str, str] = ("low", "high"),
    alpha: float = 0.15,
) -> None:
    """Intervals as a band; a checkpoint whose neighbours are absent has a bar of its own."""
    if rows.empty:
        return
    low, high = (
        rows.set_index("checkpoint")[end].reindex(names).to_numpy(dtype=np.float64) for end in ends
    )
    places = np.arange(len(names))
    axes.fill_between(places, low, high, color=colour, alpha=alpha, linewidth=0)
    there = np.isfinite(low)
    beside = np.r_[False, there[:-1]] | np.r_[there[1:], False]
    alone = there & ~beside
    axes.vlines(places[alone], low[alone], high[alone], color=colour, alpha=0.5, linewidth=1.0)


def mark_absent(axes: Axes, present: set[str], names: Sequence[str]) -> int:
    """Crosses at the foot of the panel for checkpoints without a point; how many there are."""
    places = [place for place, name in enumerate(names) if name not in present]
    if places:
        options: dict[str, Any] = {
            "color": NEUTRAL,
            "markersize": 3.5,
            "transform": axes.get_xaxis_transform(),
        }
        axes.plot(places, [0.05] * len(places), "x", **options)
    return len(places)


def absent_entry() -> tuple[Line2D, str]:
    """The cross of `mark_absent` for a legend, and what it says."""
    cross = Line2D([], [], color=NEUTRAL, marker="x", linestyle="", markersize=3.5)
    return cross, "too few right answers"


def without_prompts(axes: Axes) -> None:
    """Says that an operator has nothing to show."""
    say(axes, "no prompts that the\nmodel answers right")
