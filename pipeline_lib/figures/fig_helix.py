"""Do residuals write numbers as a helix: fits and patches by layer (definitions 15)."""

from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline_lib import store
from pipeline_lib.figures.reading import paths
from pipeline_lib.figures.style import (
    NEUTRAL,
    PAGE,
    Drawn,
    message_figure,
    new_figure,
    operator_title,
    say,
    style,
)

WHERE = ["operator", "position", "layer"]
FIT_READ = [*WHERE, "fit", "parameters", "explained", "low", "high"]
PATCH_READ = [*WHERE, "subspace", "dimension", "recovery", "low", "high", "pairs"]
COLUMNS = ["measure", *WHERE, "name", "dimension", "value", "low", "high", "pairs"]
ROWS = (
    ("fit", "operand1", "operand 1 at operand 1\nvariance explained"),
    ("fit", "equals", 'answer at "="\nvariance explained'),
    ("patch", "operand1", "patched at operand 1\nrecovery"),
    ("patch", "equals", 'patched at "="\nrecovery'),
)
Dashes = Literal["-", "--", "-.", ":"]
LINES: dict[str, tuple[str, Dashes, str]] = {
    "whole": ("black", "-", "whole residual"),
    "helix": ("#D55E00", "-", "helix {periods}"),
    "polynomial": ("#0072B2", "--", "polynomial"),
    "components": ("#009E73", "-.", "principal components"),
    "other_periods": ("#CC79A7", ":", "helices of random periods"),
    "shuffled": (NEUTRAL, ":", "helix, numbers shuffled"),
    "random": (NEUTRAL, "--", "random subspace"),
}
NOTHING = "no operator has correct prompts:\nthere is nothing to fit or to patch"


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the fits and the patches of the numbers' residuals."""
    table = tabulate(
        store.read_table(paths(inputs["fits"])[0], FIT_READ),
        store.read_table(paths(inputs["patches"])[0], PATCH_READ),
    )
    return Drawn(draw_helix(table, operators, settings["periods"]), table)


def tabulate(fits: pd.DataFrame, patches: pd.DataFrame) -> pd.DataFrame:
    """Both in one table (`COLUMNS`): share of the variance, or share of the change recovered."""
    renamed = [
        fits.assign(measure="fit", pairs=pd.NA).rename(
            columns={"fit": "name", "parameters": "dimension", "explained": "value"}
        ),
        patches.assign(measure="patch").rename(columns={"subspace": "name", "recovery": "value"}),
    ]
    filled = [part[COLUMNS].astype({"pairs": "Int64"}) for part in renamed if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=COLUMNS)


def draw_helix(table: pd.DataFrame, operators: Sequence[str], periods: Sequence[int]) -> Figure:
    """Rows: what is measured and where; columns: operators; layers along the axis."""
    with style():
        if table.empty:
            return message_figure(NOTHING)
        figure = new_figure(PAGE, 0.5 + 1.45 * len(ROWS))
        grid = figure.subplots(len(ROWS), len(operators), squeeze=False)
        for line, (measure, position, label) in zip(grid, ROWS, strict=True):
            line[0].set_ylabel(label)
            for axes, operator in zip(line, operators, strict=True):
                held = (table["measure"] == measure) & (table["position"] == position)
                _panel(axes, table[held & (table["operator"] == operator)])
        for axes, operator in zip(grid[0], operators, strict=True):
            axes.set_title(operator_title(operator))
        for axes in grid[-1]:
            axes.set_xlabel("layer")
        _legend(figure, table, periods)
        return figure


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    if rows.empty:
        say(axes, "too few numbers")
        return
    for name, (colour, dashes, _) in LINES.items():
        line = rows[rows["name"] == name].sort_values("layer")
        if len(line):
            axes.fill_between(
                line["layer"], line["low"], line["high"], color=colour, alpha=0.12, linewidth=0
            )
            axes.plot(line["layer"], line["value"], dashes, color=colour, linewidth=1.0, marker=".")
    layers = sorted(set(rows["layer"]))
    shown = layers[:: max(1, -(-len(layers) // 6))]
    axes.set_xticks(shown, ["emb." if layer < 0 else str(layer) for layer in shown])
    axes.set_ylim(-0.12, 1.08)


def _legend(figure: Figure, table: pd.DataFrame, periods: Sequence[int]) -> None:
    found = set(table["name"])
    shown = {name: line for name, line in LINES.items() if name in found}
    words = ", ".join(map(str, periods))
    figure.legend(
        [Line2D([], [], color=c, linestyle=dashes) for c, dashes, _ in shown.values()],
        [label.format(periods=words) for _, _, label in shown.values()],
        loc="outside upper center", ncols=4,
    )  # fmt: skip
