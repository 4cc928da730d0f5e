"""Mean over pairs, aligned by region: heads patched one at a time, raw effects and recovery."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.power.region_lines import COLUMNS, NOTHING, RECOVERY, REGIONS
from pipeline_lib.figures.style import PAGE, Drawn, message_figure, new_figure, say, style
from pipeline_lib.figures.sweep_map import Panel, draw_panel

SHOWN = ("entity", "differing", "after", "last")
ROWS = (
    ("change of the log-ratio (nats)", ["effect", "low", "high"]),
    ("recovery", RECOVERY),
)


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The heat maps from the table of the sweep by region."""
    table = store.read_table(inputs["regions"], [*COLUMNS, *RECOVERY])
    with style():
        if not table["n"].sum():
            return Drawn(message_figure(NOTHING, PAGE), table)
        return Drawn(draw(table), table)


def draw(table: pd.DataFrame) -> Figure:
    """A row of maps [layer, head] for each measure, on one scale."""
    figure = new_figure(PAGE, 5.2)
    short = table["component"].str.removeprefix("head_")
    for axes, (label, columns) in zip(figure.subplots(2, len(SHOWN)), ROWS, strict=True):
        chosen = table.assign(component=short)
        chosen[["effect", "low", "high"]] = chosen[columns].to_numpy()
        chosen = chosen[chosen["position"].isin(SHOWN)]
        end = float(np.nanmax(np.abs(chosen["effect"]))) or 1.0
        image = None
        for place, region in zip(axes, SHOWN, strict=True):
            rows = chosen[chosen["position"] == region]
            place.set_title(f"{REGIONS[region][2]} ({rows['n'].max()} pairs)")
            if not rows["n"].sum():
                say(place, "no pair has such a token")
                continue
            image = draw_panel(place, Panel(rows, region, "component"), end)
            place.set_xlabel("head")
        axes[0].set_ylabel("layer")
        assert image is not None
        figure.colorbar(image, ax=list(axes), label=label, fraction=0.05, pad=0.01, aspect=25)
    return figure
