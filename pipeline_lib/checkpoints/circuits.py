"""Circuits of a checkpoint: all neurons of its heuristics, or those that the final one shares.

Both keep the final model's heads and whole early MLPs (definitions 9, over training).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int

from pipeline_lib.checkpoints.pairs import distinct_neurons, shared_neurons
from pipeline_lib.circuits.curves import Curve, head_mask
from pipeline_lib.circuits.ranking import Head
from pipeline_lib.knockouts.ablation import set_masks
from pipeline_lib.knockouts.by_prompt import control_neurons
from pipeline_lib.models.loading import LanguageModel


def kept_neurons(
    matches: pd.DataFrame, final: pd.DataFrame, rng: np.random.Generator
) -> dict[str, Int[np.ndarray, "neuron 2"]]:
    """Late neurons (layer, neuron) of a checkpoint's circuits, from its matches and the final's.

    "all": every neuron that has a heuristic; "shared": those that share a (neuron, heuristic) pair
    with the final model; "random": of all, as many in every layer as are shared.
    """
    every, shared = (
        np.array(table, dtype=np.int64).reshape(-1, 2)
        for table in (distinct_neurons(matches), shared_neurons(matches, final))
    )
    return {
        "all": every,
        "shared": shared,
        "random": control_neurons(rng.permutation(every), shared),
    }


def circuits_of(
    model: LanguageModel,
    heads: Sequence[Head],
    kept: Mapping[str, Int[np.ndarray, "neuron 2"]],
    *,
    first_late_layer: int,
) -> list[Curve]:
    """One circuit for every set of late neurons, with the heads and whole early MLPs.

    Its size is the number of late neurons.
    """
    neurons = set_masks(list(kept.values()), model.n_layers, model.d_mlp)
    neurons[:, :first_late_layer] = True
    mask = head_mask(heads, (model.n_layers, model.n_heads), 1)
    return [
        Curve(name, np.array([len(chosen)]), mask, neurons[[place]])
        for place, (name, chosen) in enumerate(kept.items())
    ]
