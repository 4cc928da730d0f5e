"""Necessity: the margin's change when a layer's residual, a head or an MLP is replaced."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.odd_one_out.panels import draw_rows, scale_of
from pipeline_lib.figures.odd_one_out.words import PLACE_TITLES, renamed, swept
from pipeline_lib.figures.style import PAGE, Drawn, message_figure, style
from pipeline_lib.figures.sweep_map import Panel
from pipeline_lib.sweeps import COLUMNS


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure of the residual at every layer."""
    table = store.read_table(str(inputs["necessity"]), [*COLUMNS, "by"])
    table = table[table["component"] == "residual"]
    return Drawn(draw(table, swept(inputs)), table)


def draw(table: pd.DataFrame, task: str) -> Figure:
    """A panel for each replacement: layers upward, places to the right."""
    with style():
        if table.empty:
            return message_figure("nothing was measured", PAGE)
        named = renamed(table, "position", PLACE_TITLES)
        row = [Panel(part, f"replaced by: {by}") for by, part in named.groupby("by", sort=False)]
        return draw_rows(
            [row], "change of the margin (nats)", limit=scale_of(table), row_height=3.9,
            title=f"residual replaced on the clean prompt ({task})",
        )  # fmt: skip
