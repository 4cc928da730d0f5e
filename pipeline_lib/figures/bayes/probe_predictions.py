"""Belief probe at its best layer: what it predicts against the posterior."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.bayes.columns import MEASURES, PREDICTION_COLUMNS, PROBE_COLUMNS
from pipeline_lib.figures.bayes.parts import MODEL
from pipeline_lib.figures.bayes.probe_layers import TITLES
from pipeline_lib.figures.style import NEUTRAL, PAGE, Drawn, new_figure, style


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the predictions at the best layer."""
    table = store.read_table(inputs["predictions"], PREDICTION_COLUMNS)
    scores = store.read_table(inputs["scores"], PROBE_COLUMNS)
    own = scores[scores["best"] & (scores["labels"] == "belief")]
    return Drawn(draw(table, dict(zip(own["measure"], own["r2"], strict=True))), table)


def draw(table: pd.DataFrame, r2: dict[str, float]) -> Figure:
    """One panel for each split: prompts as dots, the mean of every number of X as a line."""
    with style():
        figure = new_figure(PAGE, 2.35)
        panels = figure.subplots(1, len(MEASURES), sharey=True)
        for axes, measure in zip(panels, MEASURES, strict=True):
            rows = table[table["measure"] == measure]
            axes.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=0.8, linestyle="--")
            axes.scatter(
                rows["belief"], rows["predicted"], s=5, color=MODEL, alpha=0.35, linewidths=0
            )
            means = rows.groupby("belief")["predicted"].mean()
            axes.plot(means.index, means, "o-", color="black", markersize=2.5, linewidth=0.7)
            said = f"{r2[measure]:.2f}".replace("-", "−")
            axes.set_title(f"{TITLES[measure]}\n$R^2$ = {said}")
            axes.set_xlabel("posterior")
            axes.set_xlim(-0.05, 1.05)
        low, high = table["predicted"].min(), table["predicted"].max()
        panels[0].set_ylim(max(min(low, 0) - 0.05, -1), min(max(high, 1) + 0.05, 2))
        panels[0].set_ylabel(f"probe at layer {int(table['layer'].iloc[0])}")
        return figure
