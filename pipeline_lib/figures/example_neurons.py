"""Tables 4-7: the most important classified neurons of one operator (paper, appendix)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib import store
from pipeline_lib.figures.reading import (
    MAPS_KIND,
    best_first,
    neuron_name,
    paths,
    promoted_numbers,
    read_matches,
)
from pipeline_lib.figures.style import OPERATOR_TITLES, PAGE, Drawn, style
from pipeline_lib.figures.table import table_figure

N_TOKENS, N_HEURISTICS = 5, 3
COLUMNS = ["operator", "layer", "neuron", "importance", "promoted", "suppressed", "heuristics"]
KEY = ["layer", "neuron"]
LOW = "↓"


def make(inputs: dict[str, Any], operators: Sequence[str], settings: dict[str, Any]) -> Drawn:
    """The table of the operator whose maps, top neurons and matches are given."""
    maps, neurons, matches = (paths(inputs[name])[0] for name in ("maps", "neurons", "matches"))
    chosen = choose_neurons(
        store.read_table(neurons, [*KEY, "importance"]),
        read_matches(matches, settings["kind"]),
        settings["example_neurons"],
    )
    with store.open_artifact(maps, MAPS_KIND) as artifact:
        operator = str(artifact.provenance["operator"])
        table = tabulate_neurons(operator, chosen, read_value_logits(artifact, chosen))
    return Drawn(draw_neurons(table, operator), table)


def choose_neurons(neurons: pd.DataFrame, matches: pd.DataFrame, count: int) -> pd.DataFrame:
    """The ``count`` most important neurons that match any heuristic, with their best matches.

    heuristics: labels and scores of the ``N_HEURISTICS`` best by chance-corrected score; ``LOW``
    marks those matched on the lowest activations.
    """
    best = best_first(matches).groupby(KEY, sort=False).head(N_HEURISTICS)
    arrow = best["side"].map({"top": "", "bottom": LOW})
    text = best["label"] + " (" + best["score"].map("{:.2f}".format) + arrow + ")"
    joined = text.groupby([best[name] for name in KEY]).agg("; ".join)
    held = neurons.merge(joined.rename("heuristics").reset_index(), on=KEY)
    order = ["importance", *KEY]
    held = held.sort_values(order, ascending=[False, True, True], ignore_index=True)
    return held.head(count)


def read_value_logits(artifact: store.Artifact, chosen: pd.DataFrame) -> list[np.ndarray]:
    """Value logits [number] of each chosen neuron; only their rows are read."""
    keys = zip(artifact.read("layer").tolist(), artifact.read("neuron").tolist(), strict=True)
    row_of = {key: row for row, key in enumerate(keys)}
    wanted = zip(chosen["layer"], chosen["neuron"], strict=True)
    return [artifact.read("value_logits", row_of[key]) for key in wanted]


def tabulate_neurons(
    operator: str, chosen: pd.DataFrame, value_logits: list[np.ndarray]
) -> pd.DataFrame:
    """The chosen neurons with the numbers their value vectors promote and suppress most."""
    table = chosen.assign(
        operator=operator,
        promoted=[_numbers(logits) for logits in value_logits],
        suppressed=[_numbers(-logits) for logits in value_logits],
    )
    return table[COLUMNS]


def _numbers(logits: np.ndarray) -> str:
    return " ".join(map(str, promoted_numbers(logits, N_TOKENS)))


def draw_neurons(table: pd.DataFrame, operator: str) -> Figure:
    """The table at the width of a page."""
    cells = pd.DataFrame(
        {
            "neuron": [
                neuron_name(*key) for key in zip(table["layer"], table["neuron"], strict=True)
            ],
            "importance": [f"{value:.3f}" for value in table["importance"]],
            "promotes": [text.replace(" ", ", ") for text in table["promoted"]],
            "suppresses": [text.replace(" ", ", ") for text in table["suppressed"]],
            # lines break between heuristics, not within
            "heuristics (score)": [
                text.replace(" ", "\N{NO-BREAK SPACE}").replace(";\N{NO-BREAK SPACE}", "; ")
                for text in table["heuristics"]
            ],
        }
    )
    with style():
        return table_figure(
            cells, width=PAGE, right=("importance",),
            empty=f"no neuron of {OPERATOR_TITLES[operator]} matches a heuristic",
        )  # fmt: skip
