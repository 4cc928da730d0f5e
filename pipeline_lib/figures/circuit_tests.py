"""What figures and tables read of circuits against random sets of heads (definitions 13)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline_lib import store
from pipeline_lib.figures.reading import one_per_operator
from pipeline_lib.stats import rank_p_value

CIRCUIT = "circuit"
NULLS = {"any": "any heads", "layer": "same number in each layer"}
SET_COLUMNS = [
    "kind", "set", "n_possible", "faithfulness", "low", "high", "ratio_of_means", "kl", "accuracy",
    "n_prompts", "n_undefined",
]  # fmt: skip
P_COLUMNS = [f"p_{name}{null}" for null in NULLS for name in ("", "kl_")]


def read_tests(inputs: dict[str, Any], operators: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The circuit and its random sets, of every operator."""
    files = one_per_operator(inputs, "tests", operators)
    return {op: store.read_table(path, SET_COLUMNS) for op, path in files.items()}


def p_values(tests: pd.DataFrame) -> dict[str, float]:
    """P of the circuit's mean faithfulness (large) and divergence (small) under either null.

    NaN without prompts.
    """
    found = dict.fromkeys(P_COLUMNS, float("nan"))
    circuit = tests[tests["kind"] == CIRCUIT]
    for null in NULLS if len(circuit) else ():
        sets = tests[tests["kind"] == null]
        is_every = len(sets) == float(sets["n_possible"].iloc[0])
        for name, column, larger in (("", "faithfulness", True), ("kl_", "kl", False)):
            observed, drawn = float(circuit[column].iloc[0]), sets[column].to_numpy(np.float64)
            p = rank_p_value(observed, drawn, larger=larger, is_every=is_every)
            found[f"p_{name}{null}"] = p
    return found
