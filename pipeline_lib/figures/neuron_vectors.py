"""Numbers that the key and value vectors of important neurons point at (definitions 9)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.example_neurons import KEY, read_value_logits
from pipeline_lib.figures.reading import (
    KEYS_KIND,
    MAPS_KIND,
    neuron_name,
    paths,
    promoted_numbers,
)
from pipeline_lib.figures.style import OPERATOR_TITLES, PAGE, Drawn, style
from pipeline_lib.figures.table import table_figure

N_TOKENS = 10
COLUMNS = ["operator", "layer", "neuron", "importance", "vector", "promoted", "suppressed"]
VECTORS = {"gate": "key (gate)", "up": "key (up)", "in": "key", "out": "value"}


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The table of the operator whose maps, key vectors and top neurons are given."""
    maps, keys, neurons = (paths(inputs[name])[0] for name in ("maps", "key_vectors", "neurons"))
    order = ["importance", *KEY]
    chosen = store.read_table(neurons, order).sort_values(order, ascending=[False, True, True])
    chosen = chosen.head(settings["example_neurons"]).reset_index(drop=True)
    with store.open_artifact(keys, KEYS_KIND) as artifact:
        logits = read_keys(artifact, chosen)
    with store.open_artifact(maps, MAPS_KIND) as artifact:
        operator = str(artifact.provenance["operator"])
        logits["out"] = read_value_logits(artifact, chosen)
    table = tabulate_vectors(operator, chosen, logits)
    return Drawn(draw_vectors(table, operator), table)


def read_keys(artifact: store.Artifact, chosen: pd.DataFrame) -> dict[str, list[np.ndarray]]:
    """Logits [number] of every chosen neuron, by the name of the projection into the MLP."""
    pairs = zip(artifact.read("layer").tolist(), artifact.read("neuron").tolist(), strict=True)
    row_of = {key: row for row, key in enumerate(pairs)}
    wanted = list(zip(chosen["layer"], chosen["neuron"], strict=True))
    names = [name for name in VECTORS if name in artifact.file]
    return {name: [artifact.read(name, row_of[key]) for key in wanted] for name in names}


def tabulate_vectors(
    operator: str, chosen: pd.DataFrame, logits: dict[str, list[np.ndarray]]
) -> pd.DataFrame:
    """A row for each vector of each neuron, with the ten numbers at either end (`COLUMNS`)."""
    rows = [
        (operator, *neuron, name, _numbers(values[row]), _numbers(-values[row]))
        for row, neuron in enumerate(chosen[[*KEY, "importance"]].itertuples(index=False))
        for name, values in logits.items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _numbers(logits: np.ndarray) -> str:
    return " ".join(map(str, promoted_numbers(logits, N_TOKENS)))


def draw_vectors(table: pd.DataFrame, operator: str) -> Figure:
    """The table at the width of a page; the rows of a neuron stand together."""
    keys = zip(table["layer"], table["neuron"], table["importance"], strict=True)
    cells = pd.DataFrame(
        {
            "neuron (importance)": [
                f"{neuron_name(layer, neuron)} ({value:.3f})" for layer, neuron, value in keys
            ],
            "vector": table["vector"].map(VECTORS),
            "promoted": [text.replace(" ", ", ") for text in table["promoted"]],
            "suppressed": [text.replace(" ", ", ") for text in table["suppressed"]],
        }
    )
    with style():
        return table_figure(
            cells, width=PAGE, group="neuron (importance)",
            empty=f"no neuron of {OPERATOR_TITLES[operator]} was chosen",
        )  # fmt: skip
