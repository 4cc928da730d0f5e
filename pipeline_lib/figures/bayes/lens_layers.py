"""Logit lens: error of P(X) against Bayes' rule, and its correlation with it, by layer."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.bayes.columns import LAYER_COLUMNS
from pipeline_lib.figures.bayes.parts import TEMPLATE_COLOURS, TEMPLATE_TITLES, band
from pipeline_lib.figures.style import NEUTRAL, PAGE, Drawn, new_figure, style


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the scores of every layer."""
    table = store.read_table(inputs["layers"], LAYER_COLUMNS)
    return Drawn(draw(table), table)


def draw(table: pd.DataFrame) -> Figure:
    """Errors on the left, correlations on the right; circles mark each template's best layer."""
    with style():
        figure = new_figure(PAGE, 2.5)
        errors, follows = figure.subplots(1, 2)
        for template, rows in table.groupby("template", sort=False):
            colour, title = TEMPLATE_COLOURS[str(template)], TEMPLATE_TITLES[str(template)]
            band(errors, rows, "layer", "mae", ("low", "high"), colour, label=title)
            best = rows[rows["best"]]
            errors.plot(best["layer"], best["mae"], "o", color=colour, markersize=5, mfc="white")
            ends = ("correlation_low", "correlation_high")
            band(follows, rows, "layer", "correlation", ends, colour)
        ignorant = float(table["no_evidence_mae"].iloc[0])
        errors.axhline(
            ignorant, color=NEUTRAL, linestyle="--", linewidth=0.8, label="draws ignored"
        )
        errors.set_ylim(0, None)
        errors.set_ylabel("mean |P(X) − Bayes|")
        follows.axhline(0, color=NEUTRAL, linestyle="--", linewidth=0.8)
        follows.set_ylim(-1.05, 1.05)
        follows.set_ylabel("correlation with Bayes' rule")
        for axes in (errors, follows):
            axes.set_xlabel("layer")
        figure.legend(loc="outside upper center", ncols=4)
        return figure
