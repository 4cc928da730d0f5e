"""How well neurons match heuristics, and how well maps that mean nothing do (definitions 17)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline_lib.figures.null_maps import COLOURS, NEURONS, TITLES, read_cuts, read_groups, split
from pipeline_lib.figures.style import (
    COLUMN,
    NEUTRAL,
    PAGE,
    SMALL,
    Drawn,
    message_figure,
    new_figure,
    operator_title,
    say,
    style,
)

COLUMNS = ["operator", "group", "measure", "value", "share_at_least", "n", "cut"]
MEASURES = {
    "score": "best score (overlap of the top prompts)",
    "evidence": "evidence (variance beyond the trend explained by the best heuristic)",
}


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from classified neurons and null maps of every operator.

    ``settings`` has the ``threshold`` of the score.
    """
    groups, cuts = read_groups(inputs, operators), read_cuts(inputs, operators)
    table = tabulate(groups, cuts, settings["threshold"])
    return Drawn(draw(table, operators), table)


def tabulate(groups: pd.DataFrame, cuts: dict[str, float], threshold: float) -> pd.DataFrame:
    """Share of each group with at least each value that occurs in it (`COLUMNS`)."""
    parts = [pd.DataFrame(columns=COLUMNS)]
    for operator, group, rows in split(groups):
        for measure in MEASURES:
            values = np.sort(rows[measure].dropna().to_numpy(np.float64))
            share = 1 - np.arange(len(values)) / max(len(values), 1)
            cut = threshold if measure == "score" else cuts[operator]
            columns = (operator, group, measure, values, share, len(values), cut)
            parts.append(pd.DataFrame(dict(zip(COLUMNS, columns, strict=True))))
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def draw(table: pd.DataFrame, operators: Sequence[str]) -> Figure:
    """Shares above each value, a row of panels a measure, a column an operator."""
    with style():
        if table.empty:
            return message_figure("no operator has correct prompts:\nno neuron was analysed")
        figure = new_figure(PAGE if len(operators) > 1 else COLUMN, 3.6)
        parts = figure.subfigures(len(MEASURES), 1, squeeze=False)[:, 0]
        for row, (measure, label) in enumerate(MEASURES.items()):
            grid = parts[row].subplots(1, len(operators), squeeze=False, sharey=True)
            for axes, operator in zip(grid[0], operators, strict=True):
                own = table[(table["operator"] == operator) & (table["measure"] == measure)]
                _panel(axes, own, measure)
                if not row:
                    axes.set_title(operator_title(operator))
            parts[row].supxlabel(label, fontsize="medium")
            parts[row].supylabel("share with at least this", fontsize="medium")
        handles = [
            Line2D([], [], color=COLOURS[group], lw=1.8 if group == NEURONS else 1.2)
            for group in TITLES
        ]
        handles.append(Line2D([], [], color=NEUTRAL, lw=0.8, ls="--"))
        figure.legend(
            handles, [*TITLES.values(), "threshold, cut"], loc="outside upper center", ncols=3,
            handlelength=1.4,
        )  # fmt: skip
        return figure


def _panel(axes: Axes, rows: pd.DataFrame, measure: str) -> None:
    if rows.empty:
        say(axes, "no correct prompts")
        return
    for group in reversed(TITLES):
        line = rows[rows["group"] == group]
        if len(line):
            values = np.append(line["value"], 1.0)
            width = 1.8 if group == NEURONS else 1.0
            axes.step(
                values, np.append(line["share_at_least"], 0.0), where="pre",
                color=COLOURS[group], lw=width,
            )  # fmt: skip
    low = 0.0 if measure == "evidence" else min(0.4, float(rows["value"].min()))
    axes.set_xlim(low, 1.02)
    axes.set_xticks([0.5, 0.75, 1.0] if low else [0.0, 0.5, 1.0])
    axes.set_ylim(0, 1.03)
    cut = float(rows["cut"].iloc[0])
    if np.isfinite(cut):
        axes.axvline(cut, color=NEUTRAL, lw=0.8, ls="--")
    else:
        axes.text(
            0.97, 0.95, "no neuron\npasses", transform=axes.transAxes, ha="right", va="top",
            fontsize=SMALL, color=NEUTRAL,
        )  # fmt: skip
