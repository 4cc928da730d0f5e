"""Heads patched one at a time from a prompt of many X: recovery by layer and head."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.bayes.columns import PAIR_COLUMNS
from pipeline_lib.figures.style import Drawn, style
from pipeline_lib.figures.sweep_map import Panel, draw_sweep

READ = ["layer", "component", "position", "effect", "low", "high", "n"]
LIMIT = 1.0
NOTHING = "no pair of prompts differs enough: nothing was patched"
TITLES = {"more_x": "from the prompt of more X", "other_order": "control: from another order"}


def make(inputs: dict[str, Any], settings: dict[str, Any]) -> Drawn:
    """The figure from the sweep over heads and its control."""
    pairs = store.read_table(inputs["pairs"], PAIR_COLUMNS)
    parts = [
        store.read_table(inputs[name], READ).assign(source=source)
        for name, source in (("heads", "more_x"), ("control", "other_order"))
    ]
    table = pd.concat(parts, ignore_index=True)
    return Drawn(draw(table, int((pairs["status"] == "swept").sum())), table)


def draw(table: pd.DataFrame, n_pairs: int) -> Figure:
    """Both heat maps on one scale, -1 to 1."""
    with style():
        panels = [
            Panel(_numbered(table[table["source"] == source]), title, "component")
            for source, title in TITLES.items()
        ]
        label = f"recovery of log P(X)/P(Y), mean of {n_pairs} pairs"
        figure = draw_sweep(panels, label, limit=LIMIT, nothing=NOTHING)
        for axes in figure.axes[:2] if n_pairs else []:
            axes.set_xlabel("head")
        return figure


def _numbered(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(component=table["component"].str.removeprefix("head_"))
