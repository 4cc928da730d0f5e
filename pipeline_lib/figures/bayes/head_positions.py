"""The strongest heads patched at one position at a time."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.bayes.ranking import rank_heads
from pipeline_lib.figures.bayes.heads import NOTHING, READ
from pipeline_lib.figures.bayes.parts import head_name, heat
from pipeline_lib.figures.style import PAGE, Drawn, message_figure, new_figure, style


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the sweep over positions; heads are those of the table of top heads."""
    heads, control, positions = (
        store.read_table(inputs[name], READ) for name in ("heads", "control", "positions")
    )
    top = rank_heads(heads, control, settings["top"])[["layer", "component"]]
    table = top.merge(positions, on=["layer", "component"], how="left").dropna(subset=["effect"])
    return Drawn(draw(table), table)


def draw(table: pd.DataFrame) -> Figure:
    """Heads downward from the strongest, positions to the right in the prompt's order."""
    with style():
        if table.empty:
            return message_figure(NOTHING, PAGE)
        names = list(dict.fromkeys(zip(table["layer"], table["component"], strict=True)))[::-1]
        places = list(dict.fromkeys(table["position"]))
        grids = {column: _grid(table, column, names, places) for column in READ[3:6]}
        values = grids["effect"]
        figure = new_figure(PAGE, 1.3 + 0.16 * len(names))
        axes = figure.subplots()
        end = float(np.nanmax(np.abs(values))) or 1.0
        image = heat(axes, values, end, places)
        row, column = np.nonzero((grids["low"] <= 0) & (grids["high"] >= 0) & (values != 0))
        axes.scatter(column, row, marker="x", s=5, linewidths=0.35, color="#666666")
        axes.tick_params(axis="x", rotation=90)
        axes.set_yticks(range(len(names)), [head_name(*name) for name in names])
        pairs = int(table["n"].max())
        label = f"recovery, mean of {pairs} pairs"
        figure.colorbar(image, ax=axes, label=label, pad=0.015, aspect=20)
        return figure


def _grid(
    table: pd.DataFrame, column: str, heads: list[tuple[int, str]], places: list[str]
) -> np.ndarray:
    wide = table.pivot_table(index=["layer", "component"], columns="position", values=column)
    return wide.reindex(index=pd.MultiIndex.from_tuples(heads), columns=places).to_numpy()
