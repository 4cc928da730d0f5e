"""Retrieval heads ablated along their paths to the critical slice, beside random heads."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.odd_one_out.words import COLOURS, PLACE_TITLES, swept
from pipeline_lib.figures.style import COLUMN, NEUTRAL, Drawn, message_figure, new_figure, style
from pipeline_lib.odd_one_out.paths import ABLATION, RETRIEVAL


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the table of joint paths."""
    table = store.read_table(str(inputs["ablation"]), ABLATION)
    return Drawn(draw(table, swept(inputs)), table)


def draw(table: pd.DataFrame, task: str) -> Figure:
    """A row a receiver: the retrieval heads with their interval, every random set as a dot."""
    with style():
        if table.empty:
            return message_figure("no one-name probe passes: no retrieval heads", COLUMN)
        keys = list(dict.fromkeys(zip(table["position"], table["receiver"], strict=True)))
        figure = new_figure(COLUMN, 1.2 + 0.3 * len(keys))
        axes = figure.subplots()
        axes.set_title(f"retrieval heads > critical slice\n({task})")
        for row, (position, receiver) in enumerate(keys):
            part = table[(table["position"] == position) & (table["receiver"] == receiver)]
            own = part[part["heads"] == RETRIEVAL]
            other = part[part["heads"] != RETRIEVAL]["effect"]
            axes.scatter(
                other, np.full(len(other), row + 0.18), s=6, color=COLOURS["random"],
                label="random heads of the same layers" if not row else None,
            )  # fmt: skip
            ends = np.stack([own["effect"] - own["low"], own["high"] - own["effect"]])
            axes.errorbar(
                own["effect"], np.full(len(own), row - 0.1), xerr=np.abs(ends), fmt="o",
                color=COLOURS["corrupt"], label="retrieval heads" if not row else None,
            )  # fmt: skip
        names = [f"{PLACE_TITLES.get(str(p), p)} > {r}" for p, r in keys]
        axes.set_yticks(range(len(keys)), names)
        axes.set_ylim(len(keys) - 0.5, -0.5)
        axes.axvline(0, color=NEUTRAL, linewidth=0.6)
        axes.set_xlabel("change of the margin (nats)")
        figure.legend(loc="outside lower center", ncols=2)
        return figure
