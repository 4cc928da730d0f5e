"""Can the model do the tasks at all: accuracy, margins of clean and corrupt prompts."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.odd_one_out.words import COLOURS, KIND_TITLES, TASK_TITLES
from pipeline_lib.figures.style import NEUTRAL, PAGE, SMALL, Drawn, new_figure, style

READ = ["task", "kind", "pairs", "accuracy", "low", "high", "chance", "passing", "gap"]


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the summary of the baselines."""
    table = store.read_table(str(inputs["summary"]), READ)
    return Drawn(draw(table), table)


def draw(table: pd.DataFrame) -> Figure:
    """Rows: task and kind of pair; accuracy, margins, gap."""
    with style():
        figure = new_figure(PAGE, 0.75 + 0.2 * len(table))
        axes = figure.subplots(1, 3, sharey=True, width_ratios=[1.1, 1.3, 1])
        rows = np.arange(len(table))[::-1]
        _accuracy(axes[0], table, rows)
        for offset, which in ((0.14, "clean"), (-0.14, "corrupt")):
            _dots(axes[1], table, f"margin_{which}", rows + offset, COLOURS[which], which)
        _dots(axes[2], table, "gap", rows, "black", None)
        axes[1].legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=2)
        axes[1].set_xlabel("margin of the clean\nanswer (nats)")
        axes[2].set_xlabel("gap, clean −\ncorrupt (nats)")
        for place in axes[1:]:
            place.axvline(0, color=NEUTRAL, linewidth=0.6)
        for place in axes:
            for edge in np.flatnonzero(table["task"].ne(table["task"].shift()))[1:]:
                place.axhline(len(table) - edge - 0.5, color="#CCCCCC", linewidth=0.6)
        return figure


def _accuracy(axes: Axes, table: pd.DataFrame, rows: np.ndarray) -> None:
    values = table["accuracy"].to_numpy()
    ends = np.abs(np.stack([values - table["low"], table["high"] - values]))
    axes.errorbar(values, rows, xerr=ends, fmt="o", color="black", linewidth=1, label="accuracy")
    axes.scatter(
        table["chance"], rows, marker="|", s=70, color=COLOURS["corrupt"], label="chance", zorder=3
    )
    names = [
        f"{TASK_TITLES[t]}: {KIND_TITLES[k]}  (n = {n}, {p} pass)"
        for t, k, n, p in table[["task", "kind", "pairs", "passing"]].itertuples(index=False)
    ]
    axes.set_yticks(rows, names, fontsize=SMALL)
    axes.set_ylim(-0.6, len(table) - 0.4)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel("share right\n(clean prompt)")
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=2)


def _dots(
    axes: Axes, table: pd.DataFrame, name: str, rows: np.ndarray, colour: str, label: str | None
) -> None:
    values = table[name].to_numpy()
    ends = np.stack([values - table[f"{name}_low"], table[f"{name}_high"] - values])
    axes.errorbar(values, rows, xerr=np.abs(ends), fmt="o", color=colour, linewidth=1, label=label)
