"""Heuristics against Fourier modes: variance of the maps that either explains (definitions 15)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.reading import one_per_operator
from pipeline_lib.figures.style import (
    COLUMN,
    MISSING,
    NEUTRAL,
    OPERATOR_COLOURS,
    PAGE,
    SMALL,
    Drawn,
    message_figure,
    new_figure,
    operator_title,
    say,
    style,
)
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_mean_interval

READ = ["layer", "neuron", "start", "rival", "terms", "explained"]
COLUMNS = [
    "operator", "layer", "neuron", "trend", "heuristic", "heuristics", "heuristics_twice", "mode",
    "modes", "both", "heuristics_trend", "modes_trend", "terms",
]  # fmt: skip
BARS = {
    "trend": "trend in a and b",
    "heuristic": "best heuristic",
    "heuristics": "{k} heuristics",
    "heuristics_twice": "{twice} heuristics",
    "mode": "best mode",
    "modes": "{k} modes",
    "both": "{k} of each",
}
MODES = ("mode", "modes")
FILL = {"trend": MISSING, "both": NEUTRAL}
BOOTSTRAP_SEED = 0
NOTHING = "no operator has maps of neurons:\nthere is nothing to explain"


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from what explains the maps of every operator."""
    table = tabulate_operators(one_per_operator(inputs, "explained", operators))
    return Drawn(draw_rivals(table, operators), table)


def tabulate_operators(files: Mapping[str, str]) -> pd.DataFrame:
    """`tabulate_neurons` of every operator, one after the other."""
    parts = [tabulate_neurons(op, store.read_table(path, READ)) for op, path in files.items()]
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def tabulate_neurons(operator: str, explained: pd.DataFrame) -> pd.DataFrame:
    """Shares of the variance of every neuron's map, a column for each fit (`COLUMNS`).

    ``terms`` is the number of heuristics and of modes of the columns in the plural; fits of
    heuristics_trend and modes_trend begin with the trend, all others with a constant.
    """
    if explained.empty:
        return pd.DataFrame(columns=COLUMNS)
    index = ["layer", "neuron"]
    key = ["start", "rival", "terms"]
    wide = explained.pivot(index=index, columns=key, values="explained")
    k = int(explained.loc[explained["rival"] == "modes", "terms"].max())
    fits = {
        "trend": ("trend", "none", 0),
        "heuristic": ("constant", "heuristics", 1),
        "heuristics": ("constant", "heuristics", k),
        "heuristics_twice": ("constant", "heuristics", 2 * k),
        "mode": ("constant", "modes", 1),
        "modes": ("constant", "modes", k),
        "both": ("constant", "both", k),
        "heuristics_trend": ("trend", "heuristics", k),
        "modes_trend": ("trend", "modes", k),
    }
    table = pd.DataFrame({name: wide[fit] for name, fit in fits.items()}).reset_index()
    return table.assign(operator=operator, terms=k)[COLUMNS].sort_values(index, ignore_index=True)


def draw_rivals(table: pd.DataFrame, operators: Sequence[str]) -> Figure:
    """Above means over neurons, below a point for each neuron: heuristics against modes."""
    drawn = table[table["trend"].notna()]
    with style():
        if drawn.empty:
            return message_figure(NOTHING)
        figure = new_figure(PAGE if len(operators) > 1 else COLUMN, 3.9)
        grid = figure.subplots(2, len(operators), squeeze=False)
        for place, operator in enumerate(operators):
            bars, points = grid[:, place]
            bars.set_title(operator_title(operator))
            rows = drawn[drawn["operator"] == operator]
            if rows.empty:
                say(bars, "no prompts")
                points.set_axis_off()
                continue
            _bars(bars, rows, operator, named=place == 0)
            _points(points, rows, operator)
        return figure


def means(rows: pd.DataFrame, operator: str) -> pd.DataFrame:
    """Mean share of every bar over neurons, with its 95 % bootstrap interval (low, high)."""
    values = rows[list(BARS)].to_numpy(dtype=np.float64)
    low, high = bootstrap_mean_interval(values, generator(BOOTSTRAP_SEED, "fig_rivals", operator))
    return pd.DataFrame({"mean": values.mean(axis=0), "low": low, "high": high}, index=list(BARS))


def _bars(axes: Axes, rows: pd.DataFrame, operator: str, *, named: bool) -> None:
    found, k = means(rows, operator), int(rows["terms"].iloc[0])
    places = np.arange(len(BARS))
    ends = np.abs(found[["low", "high"]].to_numpy().T - found["mean"].to_numpy())
    colours = [FILL.get(name, OPERATOR_COLOURS[operator]) for name in BARS]
    drawn = axes.barh(
        places, found["mean"], xerr=ends, color=colours, height=0.75,
        error_kw={"elinewidth": 0.7, "ecolor": "black"},
    )  # fmt: skip
    for bar, name in zip(drawn, BARS, strict=True):
        bar.set_alpha(0.45 if name in MODES else 1.0)
    labels = [text.format(k=k, twice=2 * k) for text in BARS.values()]
    axes.set_yticks(places, labels if named else [])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(min(0.0, 1.05 * found["low"].min()), 1), xlabel="variance explained")


def _points(axes: Axes, rows: pd.DataFrame, operator: str) -> None:
    """Shares below 0, worse than the mean, are drawn at 0."""
    k = int(rows["terms"].iloc[0])
    x, y = (rows[name].to_numpy(dtype=np.float64) for name in ("heuristics", "modes"))
    axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=0.6)
    axes.scatter(
        x.clip(0), y.clip(0), s=6, color=OPERATOR_COLOURS[operator], alpha=0.6, linewidth=0
    )
    corner: dict[str, Any] = {"fontsize": SMALL, "transform": axes.transAxes, "color": NEUTRAL}
    axes.text(0.03, 0.98, f"modes: {int((y > x).sum())}", va="top", **corner)
    axes.text(0.98, 0.03, f"heuristics: {int((x > y).sum())}", ha="right", **corner)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=f"{k} heuristics", ylabel=f"{k} modes")
    axes.set_aspect("equal")
