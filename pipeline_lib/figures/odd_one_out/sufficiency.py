"""Sufficiency: how far the clean run's values, patched into the corrupt prompt, restore it."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.odd_one_out.panels import draw_rows
from pipeline_lib.figures.odd_one_out.words import PLACE_TITLES, renamed, swept
from pipeline_lib.figures.style import Drawn, style
from pipeline_lib.figures.sweep_map import Panel
from pipeline_lib.sweeps import COLUMNS


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure of the residual, and of every head and MLP at two places."""
    table = store.read_table(str(inputs["sufficiency"]), list(COLUMNS))
    return Drawn(draw(table, swept(inputs)), table)


def draw(table: pd.DataFrame, task: str) -> Figure:
    """Layers upward; places of the residual, then the parts at the swapped name and the query."""
    residual = table[table["component"] == "residual"]
    parts = table[table["component"] != "residual"]
    panels = [Panel(renamed(residual, "position", PLACE_TITLES), "residual")]
    for place in ("swapped", "query"):
        title = f"parts at the {PLACE_TITLES[place]}"
        panels.append(Panel(parts[parts["position"] == place], title, "component"))
    with style():
        return draw_rows(
            [panels], "recovery (1: as the clean prompt)", limit=1.0, row_height=3.9,
            title=f"clean run patched into the corrupt prompt ({task})",
        )  # fmt: skip
