"""Belief probe: variance explained by layer, on seen and unseen evidence, beside its controls."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.bayes.columns import MEASURES, PROBE_COLUMNS
from pipeline_lib.figures.bayes.parts import MODEL, band
from pipeline_lib.figures.style import NEUTRAL, PAGE, Drawn, new_figure, style

TITLES = {
    "train": "fitted prompts",
    "other_template": "other template",
    "unseen_n_x": "unseen number of X",
    "unseen_both": "unseen number of X,\nother template",
}
LABELS = {
    "belief": (MODEL, "-", "posterior"),
    "count": ("#009E73", "-.", "posterior, from the number of X alone"),
    "reassigned": ("#0072B2", "--", "posterior of another number of X"),
    "shuffled": (NEUTRAL, ":", "posterior of another prompt"),
}


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the probes' scores."""
    table = store.read_table(inputs["scores"], PROBE_COLUMNS)
    return Drawn(draw(table), table)


def draw(table: pd.DataFrame) -> Figure:
    """One panel for each split; below -1 nothing is shown."""
    with style():
        figure = new_figure(PAGE, 2.6)
        panels = figure.subplots(1, len(MEASURES), sharey=True)
        for axes, measure in zip(panels, MEASURES, strict=True):
            axes.set_title(TITLES[measure])
            axes.set_xlabel("layer")
            axes.axhline(0, color="black", linewidth=0.5)
            for name, (colour, dashes, label) in LABELS.items():
                rows = table[(table["measure"] == measure) & (table["labels"] == name)]
                line = {"linestyle": dashes, "label": label}
                if name == "count":  # the same in every layer; its interval is in the table
                    axes.plot(rows["layer"], rows["r2"], color=colour, **line)
                    continue
                band(axes, rows, "layer", "r2", ("low", "high"), colour, **line)
            best = table.loc[table["best"], "layer"].iloc[0]
            axes.axvline(best, color="black", linewidth=0.5, linestyle=(0, (1, 2)))
        panels[0].set_ylim(-1.05, 1.05)
        panels[0].set_ylabel("$R^2$")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4, title="fitted to")
        return figure
