"""Figure 15: how many of their top neurons two operators share (paper, appendix)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.reading import one_per_operator
from pipeline_lib.figures.style import (
    COLUMN,
    OPERATOR_TITLES,
    SEQUENTIAL,
    Drawn,
    colour_map,
    ink_on,
    new_figure,
    style,
)
from pipeline_lib.neurons.overlap import overlap_table


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The figure from the top neurons of every operator."""
    files = one_per_operator(inputs, "neurons", operators)
    table = tabulate_overlap(
        {op: store.read_table(path, ["layer", "neuron"]) for op, path in files.items()}
    )
    return Drawn(draw_overlap(table), table)


def tabulate_overlap(neurons: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Intersection over union of every two operators, and how many neurons each has."""
    table = overlap_table(neurons)
    for side in ("1", "2"):
        table[f"neurons_{side}"] = [len(neurons[op]) for op in table[f"operator_{side}"]]
    return table


def draw_overlap(table: pd.DataFrame) -> Figure:
    """Heat map operator x operator, in percent."""
    operators = table["operator_1"].drop_duplicates().tolist()
    percent = 100 * table["iou"].to_numpy(dtype=np.float64).reshape(len(operators), -1)
    names = [OPERATOR_TITLES[operator] for operator in operators]
    with style():
        figure = new_figure(COLUMN, 2.3)
        axes = figure.subplots()
        image = axes.imshow(percent, cmap=colour_map(SEQUENTIAL), vmin=0, vmax=100)
        axes.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        for (row, column), value in np.ndenumerate(percent):
            empty = np.isnan(value)
            ink = "black" if empty else ink_on(image.cmap(image.norm(value)))
            text = "no\nneurons" if empty else f"{value:.0f} %"
            axes.text(
                column,
                row,
                text,
                ha="center",
                va="center",
                color=ink,
                fontsize="small" if empty else None,
            )
        figure.colorbar(image, ax=axes, label="shared top neurons (IoU, %)", pad=0.02)
        return figure
