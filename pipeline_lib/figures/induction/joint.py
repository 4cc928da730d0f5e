"""Drift, and apart from it error, without the top k heads and without k random ones."""

from typing import Any, Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline_lib import store
from pipeline_lib.figures.style import ACCENT, NEUTRAL, PAGE, Drawn, new_figure, style
from pipeline_lib.induction.kinds import KINDS

READ = ["kind", "chosen", "k", "heads", "measure", "value", "low", "high", "n", "what"]
ROWS = {"drift": "drift", "mae": "MAE to a counter", "p_x": "mean P(X)"}
Dashes = Literal["-", "--", ":"]
LINES: dict[str, tuple[str, Dashes, str]] = {
    "top": ("#D55E00", "-", "top k heads, {symbols}"),
    "top_others": ("#0072B2", "--", "same heads, other symbols"),
    "random": (NEUTRAL, ":", "k random heads, {symbols} (band: middle 95 % of sets)"),
}


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the joint ablations of a model."""
    table = store.read_table(inputs["joint"], READ)
    return Drawn(draw(table, "/".join(settings["symbols"])), table)


def draw(table: pd.DataFrame, symbols: str) -> Figure:
    """Rows: drift, error, mean P(X); columns: zero and mean ablation; k along the axis."""
    with style():
        figure = new_figure(PAGE, 0.4 + 1.3 * len(ROWS))
        grid = figure.subplots(len(ROWS), len(KINDS), sharex=True, sharey="row", squeeze=False)
        for line, (measure, label) in zip(grid, ROWS.items(), strict=True):
            line[0].set_ylabel(label)
            for axes, kind in zip(line, KINDS, strict=True):
                held = (table["measure"] == measure) & (table["kind"] == kind)
                _panel(axes, table[held])
                if measure == "p_x":
                    axes.axhline(0.5, color=ACCENT, linewidth=0.6, linestyle=":")
        for axes, kind in zip(grid[0], KINDS, strict=True):
            axes.set_title(f"{kind} ablation")
        for axes in grid[-1]:
            axes.set_xlabel("heads ablated together (k)")
        shown = [name for name in LINES if name in set(table["chosen"])]
        figure.legend(
            [Line2D([], [], color=LINES[n][0], linestyle=LINES[n][1]) for n in shown],
            [LINES[n][2].format(symbols=symbols) for n in shown],
            loc="outside upper center", ncols=3,
        )  # fmt: skip
        return figure


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    for name, (colour, dashes, _) in LINES.items():
        line = rows[rows["chosen"] == name].sort_values("k")
        if line.empty:
            continue
        if line["low"].notna().any():
            axes.fill_between(
                line["k"], line["low"], line["high"], color=colour, alpha=0.15, linewidth=0
            )
        axes.plot(line["k"], line["value"], dashes, color=colour, marker=".", markersize=2.5)
    axes.set_ylim(-0.03, None)
