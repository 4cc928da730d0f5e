"""Backup heads: direct effects before and after the critical slice is ablated."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.odd_one_out.words import COLOURS, swept
from pipeline_lib.figures.style import NEUTRAL, PAGE, SMALL, Drawn, new_figure, style
from pipeline_lib.figures.sweep_map import Panel, draw_panel
from pipeline_lib.sweeps import COLUMNS

NAMED = 8


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the table of direct effects."""
    table = store.read_table(str(inputs["hydra"]), [*COLUMNS, "is_slice", "q"])
    return Drawn(draw(table, swept(inputs)), table)


def draw(table: pd.DataFrame, task: str) -> Figure:
    """Left: before against after; right: the change by layer and component."""
    with style():
        figure = new_figure(PAGE, 3.7)
        figure.suptitle(f"direct effect on the margin at the query ({task})")
        left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
        _scatter(left, table)
        limit = float(table["effect"].abs().max()) or 1.0
        image = draw_panel(right, Panel(table, "change", "component"), limit)
        right.set_title("change by ablation of the critical slice")
        right.set_ylabel("layer")
        figure.colorbar(image, ax=right, label="nats", fraction=0.06, pad=0.02)
        return figure


def _scatter(axes: Axes, table: pd.DataFrame) -> None:
    kinds = {
        "critical slice (ablated)": (table["is_slice"], COLOURS["corrupt"]),
        "above it": (
            table["layer"] > table.loc[table["is_slice"], "layer"].max(),
            COLOURS["clean"],
        ),
        "below it": (table["layer"] < table.loc[table["is_slice"], "layer"].min(), NEUTRAL),
    }
    for name, (chosen, colour) in kinds.items():
        part = table[chosen]
        ends = np.stack([part["effect"] - part["low"], part["high"] - part["effect"]])
        axes.errorbar(
            part["metric_before"], part["metric_after"], yerr=np.abs(ends), fmt="o", markersize=2.2,
            color=colour, elinewidth=0.5, label=name,
        )  # fmt: skip
    both = table[["metric_before", "metric_after"]].to_numpy(np.float64)
    reach = [float(both.min()), float(both.max())]
    axes.plot(reach, reach, color=NEUTRAL, linewidth=0.6, zorder=0)
    largest = table.reindex(table["effect"].abs().sort_values(ascending=False).index).head(NAMED)
    taken: list[float] = []
    step = 0.045 * (reach[1] - reach[0])
    for row in largest.sort_values("metric_after").to_dict("records"):
        height = row["metric_after"]
        while any(abs(height - other) < step for other in taken):
            height += step / 4
        taken.append(height)
        name = f"L{row['layer']} {row['component']}"
        axes.annotate(
            name, (row["metric_before"], row["metric_after"]),
            (row["metric_before"] + 0.6 * step, height),
            fontsize=SMALL - 0.5, va="center",
        )  # fmt: skip
    axes.set_xlabel("before (nats)")
    axes.set_ylabel("after the critical slice is ablated (nats)")
    axes.legend(loc="upper left")
