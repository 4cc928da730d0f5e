"""Table 8: the most important neurons that match no heuristic (paper, appendix)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.example_neurons import KEY, read_value_logits, tabulate_neurons
from pipeline_lib.figures.reading import MAPS_KIND, neuron_name, one_per_operator, read_matches
from pipeline_lib.figures.style import OPERATOR_TITLES, PAGE, Drawn, style
from pipeline_lib.figures.table import table_figure

COLUMNS = ["operator", "layer", "neuron", "importance", "promoted", "suppressed"]
ABSENT = "–"
COUNTS = ["n_unclassified", "n_neurons"]


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The table from the maps, top neurons and matches of every operator."""
    files = {
        name: one_per_operator(inputs, name, operators) for name in ("maps", "neurons", "matches")
    }
    parts = []
    for operator in operators:
        neurons = store.read_table(files["neurons"][operator], [*KEY, "importance"])
        matches = read_matches(files["matches"][operator], settings["kind"])
        chosen = choose_unclassified(neurons, matches, settings["example_neurons"])
        with store.open_artifact(files["maps"][operator], MAPS_KIND) as artifact:
            logits = read_value_logits(artifact, chosen)
        told = tabulate_neurons(operator, chosen.assign(heuristics=""), logits)
        told = told[COLUMNS].assign(**{name: chosen[name] for name in COUNTS})
        parts.append(told if len(told) else _none(operator, len(neurons)))
    table = pd.concat(parts, ignore_index=True).astype(dict.fromkeys([*KEY, *COUNTS], "Int64"))
    return Drawn(draw_unclassified(table), table)


def _none(operator: str, n_neurons: int) -> pd.DataFrame:
    """The one row of an operator without unclassified neurons."""
    row = {"operator": operator, "promoted": "", "suppressed": "", "importance": np.nan}
    counts = {"n_unclassified": 0, "n_neurons": n_neurons}
    return pd.DataFrame([row | counts]).reindex(columns=[*COLUMNS, *COUNTS])


def choose_unclassified(neurons: pd.DataFrame, matches: pd.DataFrame, count: int) -> pd.DataFrame:
    """The ``count`` most important neurons without a match; how many there are, of how many."""
    classified = set(zip(matches["layer"], matches["neuron"], strict=True))
    keys = zip(neurons["layer"], neurons["neuron"], strict=True)
    held = neurons[np.array([key not in classified for key in keys], dtype=bool)]
    order = ["importance", *KEY]
    first = held.sort_values(order, ascending=[False, True, True], ignore_index=True).head(count)
    return first.assign(n_unclassified=len(held), n_neurons=len(neurons))


def draw_unclassified(table: pd.DataFrame) -> Figure:
    """The table at the width of a page."""
    keys = zip(table["layer"], table["neuron"], strict=True)
    names = [
        ABSENT if pd.isna(neuron) else neuron_name(int(layer), int(neuron))
        for layer, neuron in keys
    ]
    counts = zip(table["operator"], table["n_unclassified"], table["n_neurons"], strict=True)
    cells = pd.DataFrame(
        {
            "operator (unclassified)": [
                f"{OPERATOR_TITLES[op]} ({n} of {total})" for op, n, total in counts
            ],
            "neuron": names,
            "importance": [_shown(value) for value in table["importance"]],
            "promotes": [text.replace(" ", ", ") or ABSENT for text in table["promoted"]],
            "suppresses": [text.replace(" ", ", ") or ABSENT for text in table["suppressed"]],
        }
    )
    with style():
        return table_figure(
            cells, width=PAGE, right=("importance",), group="operator (unclassified)",
        )  # fmt: skip


def _shown(importance: float) -> str:
    return ABSENT if np.isnan(importance) else f"{importance:.3f}"
