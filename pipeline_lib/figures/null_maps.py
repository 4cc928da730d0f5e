"""Neurons and the maps they are held against: what the calibration figures share."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from pipeline_lib import store
from pipeline_lib.figures.reading import one_per_operator
from pipeline_lib.heuristics.calibration.table import evidence_cut

NEURONS = "neurons"
NULL_TITLES = {
    "surrogate": "surrogates",
    "low_effect": "neurons without effect",
    "direction": "random directions",
    "untrained": "untrained neurons",
}
TITLES = {NEURONS: "top neurons", **NULL_TITLES}
# Okabe and Ito, and black for what it is about
COLOURS = {
    NEURONS: "#000000",
    "surrogate": "#0072B2",
    "low_effect": "#D55E00",
    "direction": "#009E73",
    "untrained": "#CC79A7",
}


def read_groups(inputs: dict[str, Any], operators: Sequence[str]) -> pd.DataFrame:
    """Score and evidence of every neuron and every null map: operator, group, score, evidence.

    One surrogate of every neuron counts. Nulls that were not scored have score NaN.
    """
    neurons = one_per_operator(inputs, "neurons", operators)
    nulls = one_per_operator(inputs, "nulls", operators)
    parts = [pd.DataFrame(columns=["operator", "group", "score", "evidence"])]
    for operator in operators:
        own = store.read_table(neurons[operator])
        drawn = own[["surrogate_score", "surrogate_evidence"]].set_axis(
            ["score", "evidence"], axis=1
        )
        others = store.read_table(nulls[operator]).rename(columns={"family": "group"})
        tables = [own.assign(group=NEURONS), drawn.assign(group="surrogate"), others]
        for table in tables:
            chosen = table.assign(operator=operator)[["operator", "group", "score", "evidence"]]
            parts.append(chosen)
    found = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return found.astype({"score": float, "evidence": float})


def split(groups: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Operator, group and rows of every group, in their order."""
    for operator in groups["operator"].unique():
        for group in TITLES:
            rows = groups[(groups["operator"] == operator) & (groups["group"] == group)]
            if len(rows):
                yield str(operator), group, rows


def read_cuts(inputs: dict[str, Any], operators: Sequence[str]) -> dict[str, float]:
    """Least evidence of a classified neuron of each operator; NaN where none is classified."""
    files = one_per_operator(inputs, "neurons", operators)
    return {operator: evidence_cut(store.read_table(path)) for operator, path in files.items()}
