"""Necessity of every head and MLP of the critical layers."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.odd_one_out.panels import draw_rows, scale_of
from pipeline_lib.figures.odd_one_out.words import PLACE_TITLES, swept
from pipeline_lib.figures.style import PAGE, Drawn, message_figure, style
from pipeline_lib.figures.sweep_map import Panel
from pipeline_lib.sweeps import COLUMNS


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure of the critical layers' heads and MLPs."""
    table = store.read_table(str(inputs["necessity"]), [*COLUMNS, "by"])
    table = table[table["component"] != "residual"]
    return Drawn(draw(table, swept(inputs)), table)


def draw(table: pd.DataFrame, task: str) -> Figure:
    """Rows: places; columns: replacements; heads and the MLP to the right."""
    with style():
        if table.empty:
            return message_figure("nothing was measured", PAGE)
        rows = [
            [
                Panel(part, f"{PLACE_TITLES[str(place)]}, by: {by}", "component")
                for by, part in at.groupby("by", sort=False)
            ]
            for place, at in table.groupby("position", sort=False)
        ]
        height = 0.55 + 0.16 * table["layer"].nunique()
        return draw_rows(
            rows, "change of the margin (nats)", limit=scale_of(table, 1.0), row_height=height,
            title=f"heads and MLPs of the critical layers replaced on the clean prompt ({task})",
        )  # fmt: skip
