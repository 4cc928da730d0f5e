"""Induction score of every head on repeated random tokens, beside other places it may look at."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.style import ACCENT, PAGE, Drawn, new_figure, style

READ = ["layer", "head", "score", "mean", "low", "high", "n", "uniform"]
LOOKS = {
    "induction": ("#D55E00", "o", "induction: to the token after the first occurrence"),
    "previous": ("#0072B2", "s", "to the token before"),
    "same": ("#009E73", "^", "to the first occurrence"),
}
MOST_HEADS = 40


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the scores of a model."""
    table = store.read_table(inputs["scores"], READ)
    return Drawn(draw(table), table)


def draw(table: pd.DataFrame) -> Figure:
    """Means with 95 % intervals, a head a column; a line where a head looks at all alike."""
    with style():
        figure = new_figure(PAGE, 2.2)
        axes = figure.subplots()
        shown = shown_heads(table)
        for shift, (score, (colour, marker, label)) in zip(
            (-0.2, 0.0, 0.2), LOOKS.items(), strict=True
        ):
            rows = shown.merge(table[table["score"] == score], on=["layer", "head"])
            place = np.arange(len(rows)) + shift
            axes.vlines(place, rows["low"], rows["high"], color=colour, linewidth=1.2)
            axes.plot(place, rows["mean"], marker, color=colour, markersize=3.2, label=label)
        uniform = float(table["uniform"].iloc[0])
        axes.axhline(uniform, color=ACCENT, linewidth=0.6, linestyle=":", label="all tokens alike")
        names = [f"L{layer}H{head}" for layer, head in shown.itertuples(index=False)]
        axes.set_xticks(range(len(names)), names, rotation=90 if len(names) > 20 else 0)
        for edge in np.flatnonzero(np.diff(shown["layer"])) + 0.5:
            axes.axvline(edge, color="#CCCCCC", linewidth=0.6)
        axes.set_ylim(-0.03, 1.03)
        axes.set_ylabel("mean attention")
        figure.legend(loc="outside upper center", ncols=4)
        return figure


def shown_heads(table: pd.DataFrame) -> pd.DataFrame:
    """Layer and head of all heads, or of those with the largest induction scores."""
    rows = table[table["score"] == "induction"].sort_values("mean", ascending=False)
    return rows.head(MOST_HEADS)[["layer", "head"]].sort_values(["layer", "head"])
