"""Power spectra of the residuals of numbers, layer by layer (definitions 15)."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.reading import paths
from pipeline_lib.figures.style import (
    MISSING,
    NEUTRAL,
    PAGE,
    Drawn,
    message_figure,
    new_figure,
    operator_title,
    say,
    style,
)

COLUMNS = [
    "operator", "position", "layer", "period", "power", "null_low", "null_high", "null_largest",
]  # fmt: skip
ROWS = {
    "operand1": "operand 1 at operand 1\nshare of power",
    "operand2": "operand 2 at operand 2\nshare of power",
    "equals": 'answer at "="\nshare of power',
}
MAX_LINES = 6
COLOURS = "viridis"
TICKS = (2, 5, 10, 30, 100, 300, 1000)
LayerColours = dict[int, tuple[float, ...]]
NOTHING = "no operator has correct prompts:\nthere are no residuals of numbers"


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the spectra of the numbers' residuals."""
    table = store.read_table(paths(inputs["spectra"])[0], COLUMNS)[COLUMNS]
    return Drawn(draw_spectra(table, operators, settings["periods"]), table)


def draw_spectra(table: pd.DataFrame, operators: Sequence[str], periods: Sequence[int]) -> Figure:
    """Rows: positions; columns: operators; a line for each layer, at most `MAX_LINES` of them.

    Operand 1 is drawn of the first operator that has it, across the page: what follows it in the
    prompt does not change it.
    """
    with style():
        if table.empty:
            return message_figure(NOTHING)
        colours = layer_colours(table["layer"])
        figure = new_figure(PAGE, 0.7 + 1.5 * len(ROWS))
        grid = figure.add_gridspec(len(ROWS), len(operators))
        first = next(op for op in operators if (table["operator"] == op).any())
        top = figure.add_subplot(grid[0, :])
        top.set_title("before any operator")
        _panel(top, _of(table, first, "operand1"), periods, colours)
        figure.legend(*top.get_legend_handles_labels(), loc="outside upper center", ncols=4)
        top.set_ylabel(ROWS["operand1"])
        for row, position in enumerate(list(ROWS)[1:], start=1):
            for column, operator in enumerate(operators):
                axes = figure.add_subplot(grid[row, column])
                axes.set_title(operator_title(operator))
                _panel(axes, _of(table, operator, position), periods, colours)
                if not column:
                    axes.set_ylabel(ROWS[position])
                if row == len(ROWS) - 1:
                    axes.set_xlabel("period")
        return figure


def _of(table: pd.DataFrame, operator: str, position: str) -> pd.DataFrame:
    return table[(table["operator"] == operator) & (table["position"] == position)]


def drawn_layers(layers: pd.Series) -> list[int]:
    """The layers that get a line: the first, the last, and some evenly between."""
    found = np.unique(layers.to_numpy(np.int64))
    places = np.linspace(0, len(found) - 1, min(len(found), MAX_LINES)).round().astype(int)
    return found[places].tolist()


def layer_colours(layers: pd.Series) -> LayerColours:
    """Colour of every layer that gets a line."""
    drawn = drawn_layers(layers)
    shades = matplotlib.colormaps[COLOURS](np.linspace(0, 0.9, max(len(drawn), 2)))
    return {layer: tuple(shade) for layer, shade in zip(drawn, shades.tolist(), strict=False)}


def layer_name(layer: int) -> str:
    """Name of a layer, of which -1 is the embedding."""
    return "embedding" if layer < 0 else f"layer {layer}"


def _panel(axes: Axes, rows: pd.DataFrame, periods: Sequence[int], colours: LayerColours) -> None:
    if rows.empty or rows["power"].isna().all():
        say(axes, "no prompts" if rows.empty else "no variance")
        return
    span = (rows["period"].min(), rows["period"].max())
    low, high = rows["null_low"].min(), rows["null_high"].max()
    axes.fill_between(span, low, high, color=MISSING, linewidth=0, label="numbers shuffled: 95 %")
    largest = rows["null_largest"].max()
    axes.axhline(
        largest, color=NEUTRAL, linestyle=":", linewidth=0.7, label="numbers shuffled: largest"
    )
    for period in (period for period in periods if span[0] <= period <= span[1]):
        axes.axvline(period, color=MISSING, linewidth=0.6, zorder=0)
    for layer, colour in colours.items():
        line = rows[rows["layer"] == layer].sort_values("period")
        if line.empty:
            continue
        axes.plot(
            line["period"], line["power"], color=colour, linewidth=0.8, label=layer_name(layer)
        )
    axes.set(xscale="log", yscale="log", ylim=(max(low, 1e-5) / 3, 1))
    ticks = [tick for tick in TICKS if span[0] <= tick <= span[1]]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
