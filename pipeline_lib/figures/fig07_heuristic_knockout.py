"""Figure 7: accuracy without the neurons of one heuristic (definitions 8)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pipeline_lib import store
from pipeline_lib.figures.reading import one_per_operator
from pipeline_lib.figures.style import (
    NEUTRAL,
    OPERATOR_COLOURS,
    Drawn,
    accuracy_limits,
    message_figure,
    operator_panels,
    operator_title,
    say,
    style,
)
from pipeline_lib.stats import wilson_interval

READ = ["heuristic", "label", "n_neurons", "n_associated", "n_other"]
ACCURACIES = ["baseline_associated", "associated", "baseline_other", "other"]
MAX_NAMED = 12
INTERVALS = ["associated_low", "associated_high", "other_low", "other_high"]
COLUMNS = ["operator", "rank", *READ, *ACCURACIES, "drop", *INTERVALS]


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the knockouts by heuristic of every operator."""
    files = one_per_operator(inputs, "knockouts", operators)
    parts = [
        tabulate_knockouts(op, store.read_table(path, [*READ, *ACCURACIES]))
        for op, path in files.items()
    ]
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    return Drawn(draw_knockouts(table, operators), table)


def tabulate_knockouts(operator: str, knockouts: pd.DataFrame) -> pd.DataFrame:
    """Heuristics from the largest drop on their prompts down, with 95 % Wilson intervals.

    The drop is the baseline's accuracy on the associated prompts minus the accuracy after the
    knockout (`COLUMNS`); equal drops are ordered by name.
    """
    drop = knockouts["baseline_associated"] - knockouts["associated"]
    table = knockouts.assign(operator=operator, drop=drop).sort_values(
        ["drop", "heuristic"], ascending=[False, True], ignore_index=True
    )
    table["rank"] = np.arange(1, len(table) + 1)
    for side in ("associated", "other"):
        low, high = wilson_interval(
            table[side].to_numpy(dtype=np.float64), table[f"n_{side}"].to_numpy(dtype=np.int64)
        )
        table[f"{side}_low"], table[f"{side}_high"] = low, high
    return table[COLUMNS]


def draw_knockouts(table: pd.DataFrame, operators: Sequence[str]) -> Figure:
    """Accuracy of each heuristic, a panel an operator; means and intact accuracy as lines.

    Few heuristics are named below the axis, many are counted.
    """
    sizes = table["operator"].value_counts()
    with style():
        if table.empty:
            return message_figure("no heuristic has enough neurons\nto be knocked out")
        names = 1.0 if (sizes <= MAX_NAMED).any() else 0.0
        figure, panels = operator_panels(operators, 2.1 + names, sharey=True)
        for operator, axes in panels.items():
            rows = table[table["operator"] == operator]
            if rows.empty:
                say(axes, "no heuristic has\nenough neurons\nto be knocked out")
                continue
            _panel(axes, rows, OPERATOR_COLOURS[operator])
            means = f"mean ● {rows['associated'].mean():.2f}   ✕ {rows['other'].mean():.2f}"
            axes.set_title(f"{operator_title(operator)}\n{means}", linespacing=1.4)
        first = next(axes for axes in panels.values() if axes.axison)
        first.tick_params(labelleft=True)
        first.set_ylabel("accuracy after knockout")
        lowest = table[["associated_low", "other_low"]].to_numpy(dtype=np.float64).min()
        first.set_ylim(*accuracy_limits(float(lowest)))
        _legend(figure)
        return figure


def _panel(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    shift = 0.12 if len(rows) <= MAX_NAMED else 0.0
    for side, ink, marker in (("other", NEUTRAL, "x"), ("associated", colour, "o")):
        places = rows["rank"] + (shift if side == "other" else -shift)
        axes.vlines(
            places, rows[f"{side}_low"], rows[f"{side}_high"], color=ink, alpha=0.3,
            linewidth=float(np.clip(90 / len(rows), 0.3, 1.2)),
        )  # fmt: skip
        axes.axhline(rows[f"baseline_{side}"].mean(), color=ink, linewidth=0.6, linestyle=":")
        axes.axhline(rows[side].mean(), color=ink, linewidth=0.8, linestyle="--")
        axes.plot(
            places, rows[side], linestyle="none", marker=marker, color=ink,
            markersize=float(np.clip(160 / len(rows), 1.5, 3.5)), markeredgewidth=0.6,
        )  # fmt: skip
    axes.margins(x=0.1)
    if len(rows) <= MAX_NAMED:
        axes.set_xticks(rows["rank"], rows["label"], rotation=90)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlabel(f"heuristics by drop (n = {len(rows)})")


def _legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], linestyle="none", marker="o", color="black"),
        Line2D([], [], linestyle="none", marker="x", color=NEUTRAL, markeredgewidth=0.6),
        Line2D([], [], linestyle="--", color=NEUTRAL, linewidth=0.8),
        Line2D([], [], linestyle=":", color=NEUTRAL, linewidth=0.8),
    ]
    names = ["prompts of the heuristic", "other prompts", "means", "means of the intact model"]
    figure.legend(handles, names, ncols=4, loc="outside lower center")
