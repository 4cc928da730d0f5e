"""Table of an operator: what heuristics and modes explain of each neuron (definitions 15)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.fig_rivals import READ, tabulate_neurons
from pipeline_lib.figures.reading import neuron_name, paths
from pipeline_lib.figures.style import OPERATOR_TITLES, PAGE, Drawn, style
from pipeline_lib.figures.table import table_figure

KEY = ["layer", "neuron"]
CHOSEN = [*KEY, "start", "rival", "place", "label"]
NAMED = {"heuristics": "chosen_heuristics", "modes": "chosen_modes"}
N_NAMED = 2


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The table of the one operator given, of all its top neurons, the most important first."""
    (operator,) = operators
    explained, chosen, neurons = (
        store.read_table(paths(inputs[name])[0], columns)
        for name, columns in (
            ("explained", READ), ("chosen", CHOSEN), ("neurons", [*KEY, "importance"]),
        )
    )  # fmt: skip
    table = tabulate(operator, explained, chosen, neurons)
    return Drawn(draw_table(table, operator, settings["example_neurons"]), table)


def tabulate(
    operator: str, explained: pd.DataFrame, chosen: pd.DataFrame, neurons: pd.DataFrame
) -> pd.DataFrame:
    """`tabulate_neurons` with the importance of each neuron and the names of all that was chosen.

    chosen_heuristics and chosen_modes: labels in the order of the choice, after a constant.
    """
    table = tabulate_neurons(operator, explained).merge(neurons[[*KEY, "importance"]], on=KEY)
    for rival, column in NAMED.items():
        rows = chosen[(chosen["rival"] == rival) & (chosen["start"] == "constant")]
        labels = rows.sort_values("place").groupby(KEY)["label"].agg("; ".join)
        table = table.merge(labels.rename(column).reset_index(), on=KEY, how="left")
        table[column] = table[column].astype(object).fillna("")
    return table.sort_values(["importance", *KEY], ascending=[False, True, True], ignore_index=True)


def draw_table(table: pd.DataFrame, operator: str, n_neurons: int) -> Figure:
    """The first neurons at the width of a page, with the first names of either rival."""
    shown = table.head(n_neurons)
    k = int(shown["terms"].max()) if len(shown) else 0
    shares = {
        "trend": "trend", "heuristic": "1 heuristic", "heuristics": f"{k} heuristics",
        "mode": "1 mode", "modes": f"{k} modes", "both": f"{k} of each",
    }  # fmt: skip
    names = [neuron_name(*key) for key in zip(shown["layer"], shown["neuron"], strict=True)]
    cells = {"neuron": names}
    for column, title in shares.items():
        cells[title] = [_share(share) for share in shown[column]]
    for rival, column in NAMED.items():
        cells[f"first {rival}"] = [_first(labels) for labels in shown[column]]
    with style():
        return table_figure(
            pd.DataFrame(cells), width=PAGE, right=list(shares.values()),
            empty=f"no neuron of {OPERATOR_TITLES[operator]} has a map",
            remark=f"{len(table) - len(shown)} more neurons in the CSV file"
            if len(table) > len(shown) else "",
        )  # fmt: skip


def _first(labels: str) -> str:
    """The first labels; lines break between them, not within."""
    first = labels.split("; ")[:N_NAMED]
    return "; ".join(label.replace(" ", "\N{NO-BREAK SPACE}") for label in first)


def _share(value: float) -> str:
    """Two decimals, without the sign of a zero; a dash where there is no variance."""
    return "–" if np.isnan(value) else f"{round(value, 2) + 0:.2f}"
