"""Does the model tell the sentences of each pair apart: its answers before anything is patched."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.style import ACCENT, NEUTRAL, PAGE, Drawn, new_figure, style

COLUMNS = ["line", "name", "power", "no_power", "source", "base", "status"]
STATUSES = {
    "swept": ("#0072B2", "o", "swept"),
    "wrong_way": ("#D55E00", "s", "in the wrong order"),
    "within_noise": ("#CC79A7", "^", "within the noise"),
    "unequal_length": (NEUTRAL, "x", "of unequal length"),
}
LABEL = "log P(TRUE) − log P(FALSE)"


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the table of pairs and that of baselines."""
    pairs = store.read_table(inputs["pairs"], COLUMNS)[COLUMNS]
    found = store.read_table(inputs["baselines"], ["measure", "value", "low", "high", "n"])
    table = pairs.assign(difference=pairs["source"] - pairs["base"])
    return Drawn(draw(table, found.set_index("measure")), table)


def draw(pairs: pd.DataFrame, found: pd.DataFrame) -> Figure:
    """Base against source, and the differences in order of size with their mean."""
    with style():
        figure = new_figure(PAGE, 2.75)
        left, right = figure.subplots(1, 2)
        _scatter(left, pairs)
        _sorted(right, pairs, found)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
        return figure


def _scatter(axes: Axes, pairs: pd.DataFrame) -> None:
    for status, (colour, marker, label) in STATUSES.items():
        rows = pairs[pairs["status"] == status]
        if len(rows):
            label = f"{label} ({len(rows)})"
            axes.scatter(
                rows["base"], rows["source"], s=9, marker=marker, color=colour, lw=0.7, label=label
            )
    both = pairs[["source", "base"]].to_numpy(np.float64)
    ends = [both.min() - 0.05, both.max() + 0.05]
    axes.plot(ends, ends, color=ACCENT, lw=0.6)
    for line in (axes.axhline, axes.axvline):
        line(0, color=NEUTRAL, lw=0.5, ls=":")
    axes.set(xlim=ends, ylim=ends, xlabel=f"without power: {LABEL}", ylabel=f"with power: {LABEL}")
    axes.set_title("above the line: told apart in the right order")


def _sorted(axes: Axes, pairs: pd.DataFrame, found: pd.DataFrame) -> None:
    order = pairs.sort_values("difference")
    for status, (colour, marker, _) in STATUSES.items():
        chosen = np.flatnonzero((order["status"] == status).to_numpy())
        axes.scatter(
            chosen, order["difference"].iloc[chosen], s=9, marker=marker, color=colour, lw=0.7
        )
    mean = found.loc["difference"]
    axes.axhline(0, color=NEUTRAL, lw=0.5, ls=":")
    axes.axhline(mean["value"], color=ACCENT, lw=0.8)
    axes.axhspan(mean["low"], mean["high"], color=ACCENT, alpha=0.15, lw=0)
    axes.set(xlabel="pair, in order of its difference", ylabel="with − without power (nats)")
    axes.set_title("black: mean with its 95 % interval")
