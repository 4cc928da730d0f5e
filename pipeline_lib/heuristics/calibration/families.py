"""The other nulls: neurons and directions of which nobody thinks they implement a heuristic.

Surrogates say how much evidence a neuron's own smoothness gives; these families say how much the
model's prompts, weights and architecture give: neurons of the same layer without effect on the
answers, random directions of the MLP's output, and neurons of the same architecture untrained.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from pipeline_lib.heuristics.calibration.tails import tail_probability

FAMILIES = ("low_effect", "direction", "untrained")
NULL_COLUMNS = ["family", "layer", "neuron", "evidence", "score"]


def low_effect_neurons(
    effects: Float[np.ndarray, "layer neuron"], chosen: pd.DataFrame, per_layer: int
) -> pd.DataFrame:
    """Up to ``per_layer`` neurons (layer, neuron) with the smallest effects, by absolute value.

    Of every layer of ``chosen`` (columns layer, neuron); those themselves are not among them, and
    at most half of the others are.
    """
    parts = [pd.DataFrame({"layer": [], "neuron": []}, dtype=np.int64)]
    for layer, rows in chosen.groupby("layer"):
        order = np.argsort(np.abs(effects[int(str(layer))]), kind="stable")
        others = order[~np.isin(order, rows["neuron"].to_numpy())]
        kept = others[: min(per_layer, -(-len(others) // 2))]
        parts.append(pd.DataFrame({"layer": layer, "neuron": np.sort(kept)}))
    return pd.concat(parts, ignore_index=True)


def family_p_values(
    neurons: pd.DataFrame, nulls: pd.DataFrame, families: Sequence[str] = FAMILIES
) -> pd.DataFrame:
    """Of each neuron (columns layer, evidence), the share of each family with as much evidence.

    One column ``p_<family>``: `tail_probability` among the family's rows of the same layer in
    ``nulls`` (NULL_COLUMNS). NaN for a family without rows there, which then decides nothing.
    """
    found = pd.DataFrame(np.nan, index=neurons.index, columns=[f"p_{name}" for name in families])
    evidence = neurons["evidence"].to_numpy(np.float64)
    for layer in neurons["layer"].unique():
        here = (neurons["layer"] == layer).to_numpy()
        for family in families:
            chosen = (nulls["family"] == family) & (nulls["layer"] == layer)
            null = nulls.loc[chosen, "evidence"].to_numpy(np.float64)
            if len(null):
                p_values = [tail_probability(value, null) for value in evidence[here]]
                found.loc[here, f"p_{family}"] = p_values
    return found
