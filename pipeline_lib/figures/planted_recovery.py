"""What the methods find of planted networks, against noise and superposition (definitions 16)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline_lib import store
from pipeline_lib.figures.reading import paths
from pipeline_lib.figures.style import (
    ACCENT,
    NEUTRAL,
    PAGE,
    Drawn,
    message_figure,
    new_figure,
    say,
    style,
)
from pipeline_lib.recovery.scoring import COUNTS, precision_recall

BY = ["noise", "superposition", "rule", "what"]
READ = ["operator", *BY, "overlap", "n_correct", *COUNTS]
SHARES = ("precision", "recall")
COLUMNS = [
    *BY,
    *SHARES,
    *(f"{share}_{end}" for share in SHARES for end in ("low", "high")),
    *COUNTS,
    "overlap",
]
WHATS = ("localization", "attribution", "detection", "classification")
AXES = ("noise", "superposition")
# Okabe and Ito's, in the order in which rules appear; black where no matching takes part
RULE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
SPREAD = 0.012
"""Distance between lines at one place, so that they do not hide each other (of the axis)."""


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the counts of every network."""
    parts = [store.read_table(path, READ) for path in paths(inputs["recovery"])]
    table = tabulate_recovery(pd.concat(parts, ignore_index=True), operators)
    return Drawn(draw_recovery(table), table)


def tabulate_recovery(counts: pd.DataFrame, operators: Sequence[str]) -> pd.DataFrame:
    """Precision and recall of all these operators together, network by network (COLUMNS)."""
    chosen = counts[counts["operator"].isin(operators)]
    overlap = chosen.groupby(BY, sort=False)["overlap"].first().reset_index()
    table = precision_recall(chosen, BY).merge(overlap, on=BY)
    order = table["what"].map(WHATS.index)
    table = table.assign(order=order).sort_values(
        ["superposition", "noise", "order", "rule"], ignore_index=True
    )
    return table[COLUMNS]


def draw_recovery(table: pd.DataFrame) -> Figure:
    """A row of panels for noise and one for superposition, a column for what is looked for."""
    rules = table.loc[table["what"].isin(["detection", "classification"]), "rule"].unique()
    colours = dict(zip(rules, RULE_COLOURS, strict=False))
    with style():
        if table.empty:
            return message_figure("no network was measured")
        figure = new_figure(PAGE, 3.6)
        grid = figure.subplots(len(AXES), len(WHATS), sharey=True, squeeze=False)
        for axis, row in zip(AXES, grid, strict=True):
            other = next(name for name in AXES if name != axis)
            for what, axes in zip(WHATS, row, strict=True):
                shown = table[(table["what"] == what) & (table[other] == 0)]
                _panel(axes, shown, axis, colours)
                axes.set_xlabel(axis)
            row[0].set_ylabel("precision, recall")
        for what, axes in zip(WHATS, grid[0], strict=True):
            axes.set_title(what)
        _legend(figure, colours)
        return figure


def _panel(axes: Axes, rows: pd.DataFrame, axis: str, colours: dict[str, str]) -> None:
    if rows.empty:
        say(axes, "no network\nwithout the other")
        return
    width = max(float(rows[axis].max()), 1e-9)
    lines = [(rule, share) for rule in rows["rule"].unique() for share in SHARES]
    for place, (rule, share) in enumerate(lines):
        line = rows[rows["rule"] == rule].sort_values(axis)
        x = line[axis] + (place - (len(lines) - 1) / 2) * SPREAD * width
        colour, is_recall = colours.get(rule, ACCENT), share == "recall"
        axes.vlines(
            x, line[f"{share}_low"], line[f"{share}_high"], color=colour, alpha=0.4, linewidth=0.8
        )
        axes.plot(
            x, line[share], color=colour, linestyle="--" if is_recall else "-", linewidth=0.9,
            marker="o", markersize=3.0, markeredgewidth=0.7,
            markerfacecolor="white" if is_recall else colour,
        )  # fmt: skip
    axes.set_ylim(-0.04, 1.04)
    axes.set_xlim(-0.06 * width, 1.06 * width)
    levels = np.unique(rows[axis])
    axes.set_xticks(levels, [f"{level:g}" for level in levels])
    axes.tick_params(axis="x", rotation=90)


def _legend(figure: Figure, colours: dict[str, str]) -> None:
    named = {"patching, attribution": ACCENT, **colours}
    handles = [Line2D([], [], color=colour) for colour in named.values()]
    handles += [
        Line2D([], [], color=NEUTRAL, marker="o", markersize=3.0),
        Line2D([], [], color=NEUTRAL, marker="o", markersize=3.0, linestyle="--", mfc="white"),
    ]
    names = [*named, *SHARES]
    figure.legend(handles, names, ncols=len(names), loc="outside lower center")
