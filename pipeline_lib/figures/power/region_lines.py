"""Means over pairs, aligned by region, against the layer: raw effects and recovery."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.style import NEUTRAL, PAGE, Drawn, message_figure, new_figure, style

REGIONS = {
    "before": (NEUTRAL, ":", "before the first difference"),
    "entity": ("#009E73", "-.", "entity after them"),
    "differing": ("#D55E00", "-", "differing words"),
    "after": ("#0072B2", "--", "others after them"),
    "last": ("black", "-", "last token"),
}
COLUMNS = ["layer", "component", "position", "effect", "low", "high", "n"]
RECOVERY = ["recovery", "recovery_low", "recovery_high"]
NOTHING = "no pair was swept: see the table of baselines"
PANELS = (
    ("change of the log-ratio (nats)", ["effect", "low", "high"]),
    ("recovery", RECOVERY),
)


def make_regions(inputs: dict[str, Any]) -> Drawn:
    """A line a region over the layers, with 95 % bands."""
    table = store.read_table(inputs["regions"], [*COLUMNS, *RECOVERY])
    with style():
        if not table["n"].sum():
            return Drawn(message_figure(NOTHING, PAGE), table)
        return Drawn(draw(table), table)


def draw(table: pd.DataFrame) -> Figure:
    """Raw effects on the left, recovery on the right."""
    figure = new_figure(PAGE, 2.6)
    for axes, (label, columns) in zip(figure.subplots(1, 2), PANELS, strict=True):
        for region, rows in table.groupby("position", sort=False):
            if rows["n"].sum():
                _line(axes, rows.sort_values("layer"), str(region), columns)
        axes.axhline(0, color=NEUTRAL, lw=0.5)
        axes.set(xlabel="layer", ylabel=label)
        _layer_ticks(axes, sorted(set(table["layer"])))
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return figure


def _line(axes: Axes, rows: pd.DataFrame, region: str, columns: list[str]) -> None:
    colour, dashes, name = REGIONS[region]
    value, low, high = (rows[column].to_numpy(np.float64) for column in columns)
    axes.plot(rows["layer"], value, color=colour, ls=dashes, label=f"{name} ({rows['n'].max()})")
    axes.fill_between(rows["layer"], low, high, color=colour, alpha=0.18, lw=0)


def _layer_ticks(axes: Axes, layers: list[int]) -> None:
    numbers = [layer for layer in layers if layer >= 0]
    ticks = numbers[:: max(1, -(-len(numbers) // 6))]
    if layers[0] < 0:  # "emb." takes the place of layer 0 beside it
        ticks = [layers[0], *ticks[1:]]
    axes.set_xticks(ticks, ["emb." if layer < 0 else str(layer) for layer in ticks])
