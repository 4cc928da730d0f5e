"""One circuit for all classes: gap, sufficiency and necessity by super-class, beside controls."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from pipeline_lib import store
from pipeline_lib.figures.odd_one_out.panels import scale_of
from pipeline_lib.figures.odd_one_out.words import GROUP_TITLES, PLACE_TITLES, swept
from pipeline_lib.figures.style import (
    DIVERGING,
    NEUTRAL,
    PAGE,
    SMALL,
    Drawn,
    colour_map,
    new_figure,
    style,
)
from pipeline_lib.stimuli.people import plural
from pipeline_lib.sweeps import COLUMNS

TESTS = [
    ("sufficiency", "swapped"),
    ("sufficiency", "query"),
    ("necessity", "swapped"),
    ("necessity", "query"),
]


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the table of the test of generality."""
    table = store.read_table(str(inputs["generality"]), [*COLUMNS, "test", "group", "is_control"])
    return Drawn(draw(table, swept(inputs)), table)


def draw(table: pd.DataFrame, task: str) -> Figure:
    """Groups downward: all, super-classes by number of pairs, controls."""
    gaps = table[table["test"] == "gap"].set_index("group")
    own = gaps[~gaps["is_control"]].sort_values("n", ascending=False).index.tolist()
    order = [*[g for g in own if g == "all"], *[g for g in own if g != "all"]]
    order += gaps[gaps["is_control"]].index.tolist()
    with style():
        figure = new_figure(PAGE, 1.1 + 0.19 * len(order))
        figure.suptitle(f"effect on the margin over the grid ({task})")
        axes = figure.subplots(1, 5, sharey=True, width_ratios=[1.3, 1, 1, 1, 1])
        _gaps(axes[0], gaps.loc[order], order)
        limit = scale_of(table)
        for place, (test, position) in zip(axes[1:], TESTS, strict=True):
            part = table[(table["test"] == test) & (table["position"] == position)]
            image = _map(place, part, order, limit)
            place.set_title(f"{test},\n{PLACE_TITLES[position]}")
        figure.colorbar(image, ax=axes, label="change (nats)", fraction=0.04, pad=0.01, aspect=25)
        return figure


def _gaps(axes: Axes, gaps: pd.DataFrame, order: list[str]) -> None:
    rows = np.arange(len(order))
    values = gaps["effect"].to_numpy(np.float64)
    ends = np.abs(np.stack([values - gaps["low"], gaps["high"] - values]))
    colours = [NEUTRAL if control else "black" for control in gaps["is_control"]]
    for row, value, end, colour in zip(rows, values, ends.T, colours, strict=True):
        axes.errorbar(value, row, xerr=end[:, None], fmt="o", color=colour, linewidth=1)
    axes.axvline(0, color=NEUTRAL, linewidth=0.6)
    names = [
        f"{GROUP_TITLES.get(g, plural(g))} ({n})"
        for g, n in zip(order, gaps["n"].astype(int), strict=True)
    ]
    axes.set_yticks(rows, names, fontsize=SMALL)
    axes.set_title("gap, clean − corrupt")
    axes.set_xlabel("nats")
    axes.set_ylim(len(order) - 0.5, -0.5)


def _map(axes: Axes, part: pd.DataFrame, order: list[str], limit: float) -> AxesImage:
    layers = sorted(set(part["layer"]))

    def grid(column: str) -> np.ndarray:
        wide = part.pivot_table(index="group", columns="layer", values=column, dropna=False)
        return wide.reindex(index=order, columns=layers).to_numpy(np.float64)

    image = axes.imshow(
        grid("effect"), cmap=colour_map(DIVERGING), vmin=-limit, vmax=limit, aspect="auto"
    )
    row, column = np.nonzero((grid("low") <= 0) & (grid("high") >= 0))
    axes.scatter(column, row, marker="x", s=6, linewidths=0.4, color="#666666")
    axes.set_xticks(range(len(layers)), [str(layer) for layer in layers])
    axes.set_xlabel("layer")
    axes.tick_params(axis="y", length=0)
    return image
