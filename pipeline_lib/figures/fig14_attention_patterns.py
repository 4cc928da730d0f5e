"""Figure 14: mean attention patterns of the heads that serve most operators (definitions 9)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.circuits.ranking import Head
from pipeline_lib.figures.reading import PATTERNS_KIND, paths
from pipeline_lib.figures.style import (
    PAGE,
    SEQUENTIAL,
    SMALL,
    Drawn,
    colour_map,
    ink_on,
    message_figure,
    new_figure,
    style,
)
from pipeline_lib.figures.table02_circuit_heads import tabulate_circuits
from pipeline_lib.measures.attention import SOURCES, mean_patterns
from pipeline_lib.rng import generator

N_HEADS, PER_ROW = 6, 3
BOOTSTRAP_SEED = 0
TICKS = {
    "before": "before", "operand1": "op 1", "operator": "sign", "operand2": "op 2", "equals": "=",
}  # fmt: skip


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the patterns, the circuits, and the effects of every operator and seed."""
    general = general_heads(tabulate_circuits(inputs, operators))
    with store.open_artifact(paths(inputs["patterns"])[0], PATTERNS_KIND) as artifact:
        patterns = artifact.read("pattern")
    heads = [Head.from_name(name) for name in general["head"]]
    table = mean_patterns(patterns, heads, generator(BOOTSTRAP_SEED, "fig14"))
    table = table.assign(
        n_operators=np.repeat(general["n_operators"].to_numpy(), len(table) // max(len(heads), 1))
    )
    return Drawn(draw_patterns(table, len(operators)), table)


def general_heads(circuits: pd.DataFrame) -> pd.DataFrame:
    """The ``N_HEADS`` heads in most operators' circuits: columns head, n_operators.

    Of equal ones those with the larger mean effect come first.
    """
    grouped = circuits.groupby("head").agg(
        n_operators=("operator", "nunique"), mean=("mean", "mean")
    )
    found = grouped.reset_index().sort_values(
        ["n_operators", "mean", "head"], ascending=[False, False, True], ignore_index=True
    )
    return found[["head", "n_operators"]].head(N_HEADS)


def draw_patterns(table: pd.DataFrame, n_operators: int) -> Figure:
    """A panel a head; in the cells the mean and half the width of its 95 % interval."""
    with style():
        if table.empty:
            return message_figure("no operator has correct prompts:\nthere is no attention to show")
        groups = list(table.groupby(["layer", "head"], sort=False))
        n_rows = -(-len(groups) // PER_ROW)
        figure = new_figure(PAGE, 2.35 * n_rows)
        grid = figure.subplots(n_rows, PER_ROW, squeeze=False)
        for axes in grid.ravel()[len(groups) :]:
            axes.set_axis_off()
        for axes, (_, rows) in zip(grid.ravel(), groups, strict=False):
            _panel(axes, rows, n_operators)
        for line in grid:
            line[0].set_ylabel("attending")
        for axes in grid[-1]:
            axes.set_xlabel("attended to")
        scale = ScalarMappable(Normalize(0, 1), colour_map(SEQUENTIAL))
        bar = figure.colorbar(scale, ax=grid, aspect=30, pad=0.01)
        bar.set_label(f"mean attention over {table['n_prompts'].iloc[0]} prompts (± 95 % interval)")
        return figure


def _panel(axes: Axes, rows: pd.DataFrame, n_operators: int) -> None:
    shape = (len(SOURCES), len(SOURCES))
    mean, low, high = (
        rows[name].to_numpy(float).reshape(shape) for name in ("mean", "low", "high")
    )
    colours = colour_map(SEQUENTIAL)
    # a position never attends to what follows it: left blank
    blank = np.triu(np.ones(shape, dtype=bool), 1)
    axes.imshow(
        np.ma.masked_where(blank, mean), cmap=colours.with_extremes(bad="white"), vmin=0, vmax=1
    )
    for query, source in np.argwhere(~blank).tolist():
        half = (high[query, source] - low[query, source]) / 2
        axes.text(
            source, query, f"{mean[query, source]:.2f}\n±{half:.2f}", ha="center", va="center",
            fontsize=SMALL, color=ink_on(colours(mean[query, source])), linespacing=1.1,
        )  # fmt: skip
    names = [TICKS[name] for name in SOURCES]
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    first = rows.iloc[0]
    name = Head(int(first["layer"]), int(first["head"])).name
    axes.set_title(f"{name}  (circuit of {int(first['n_operators'])} of {n_operators} operators)")
