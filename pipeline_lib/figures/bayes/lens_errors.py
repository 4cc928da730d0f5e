"""Logit lens: mean error of P(X) by layer and number of X."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.bayes.columns import LENS_COLUMNS
from pipeline_lib.figures.bayes.parts import TEMPLATE_TITLES, heat
from pipeline_lib.figures.style import PAGE, Drawn, new_figure, style
from pipeline_lib.figures.sweep_map import spaced

LIMIT = 0.25


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from every prompt's P(X) at every layer."""
    lens = store.read_table(inputs["lens"], LENS_COLUMNS)
    by = ["template", "layer", "n_x"]
    table = lens.groupby(by, sort=False)["error"].agg(["mean", "std", "count"]).reset_index()
    table = table.rename(columns={"mean": "error", "std": "spread", "count": "prompts"})
    return Drawn(draw(table), table)


def draw(table: pd.DataFrame) -> Figure:
    """One heat map for each template, layers upward, scale -.25 to .25."""
    with style():
        templates = list(dict.fromkeys(table["template"]))
        layers = sorted(set(table["layer"]))
        figure = new_figure(PAGE, float(np.clip(1.1 + 0.08 * len(layers), 1.9, 5.0)))
        panels = figure.subplots(1, len(templates), squeeze=False, sharey=True)[0]
        for axes, template in zip(panels, templates, strict=True):
            rows = table[table["template"] == template]
            wide = rows.pivot_table(index="layer", columns="n_x", values="error").reindex(layers)
            image = heat(axes, wide.to_numpy(), LIMIT, [str(n) for n in wide.columns])
            axes.set_title(TEMPLATE_TITLES[template])
            axes.set_xlabel("draws that are X")
        shown = spaced(len(layers), 16)
        panels[0].set_yticks(shown, [str(layers[i]) for i in shown])
        panels[0].set_ylabel("layer")
        figure.colorbar(
            image, ax=panels, label="mean of P(X) − Bayes", extend="both", pad=0.015, aspect=30
        )
        return figure
