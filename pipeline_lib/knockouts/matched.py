"""Random sets of neurons that match a set in layer, count and activation norm (definitions 8)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pipeline_lib.interventions.capture import iter_captured
from pipeline_lib.knockouts.ablation import NO_NEURONS
from pipeline_lib.models.loading import LanguageModel

NORM_COLUMNS = ["layer", "neuron", "norm"]
SET_COLUMNS = ["n_neurons", "n_unmapped", "norm"]
NEAREST = 8
"""Neurons of like norm among which a match is drawn."""
ENOUGH = 2
"""Neurons of a pool for each that is drawn, so that there is something to choose from."""
LEAST = 1e-30
"""What a norm counts as at least, so that it has a logarithm."""


def layer_norms(
    model: LanguageModel, tokens: Int[Tensor, "prompt token"], layers: Sequence[int]
) -> pd.DataFrame:
    """Root mean square of every neuron's `post` at the last position of some prompts.

    `NORM_COLUMNS`, layer by layer. NaN without prompts.
    """
    total = torch.zeros(len(layers), model.d_mlp, dtype=torch.float64)
    runs = iter_captured(
        model, tokens, ("mlp_post",), layers=layers, positions=[-1], keep_logits=False
    )
    for run in runs if layers else ():
        total += run.site("mlp_post")[:, 0].double().square().sum(0)
    norms = (total / len(tokens)).sqrt().numpy()
    index = pd.MultiIndex.from_product([layers, range(model.d_mlp)], names=NORM_COLUMNS[:2])
    return pd.DataFrame({"norm": norms.ravel()}, index=index).reset_index()


@dataclass(frozen=True)
class Layer:
    """Neurons of one layer, their activation norms, and whether they are mapped."""

    names: Int[np.ndarray, " neuron"]
    norms: Float[np.ndarray, " neuron"]
    mapped: Bool[np.ndarray, " neuron"]


class Pool:
    """The neurons that random sets are drawn from: the mapped ones, and all of their layers.

    Both tables have `NORM_COLUMNS`; ``norm`` is a neuron's activation norm, the root mean square of
    its `post` at "=" over prompts of the operator; for mapped neurons the first table's.
    """

    def __init__(self, mapped: pd.DataFrame, every: pd.DataFrame) -> None:
        both = pd.concat([mapped.assign(mapped=True), every.assign(mapped=False)])
        both = both.drop_duplicates(NORM_COLUMNS[:2])
        self._layers = {
            int(str(layer)): Layer(
                rows["neuron"].to_numpy(dtype=np.int64),
                rows["norm"].to_numpy(dtype=np.float64),
                rows["mapped"].to_numpy(dtype=bool),
            )
            for layer, rows in both.groupby("layer", sort=True)
        }

    def draw(
        self,
        neurons: Int[np.ndarray, "set 2"],
        avoid: Int[np.ndarray, "avoided 2"],
        rng: np.random.Generator,
    ) -> Int[np.ndarray, "drawn 2"]:
        """A random set with as many neurons in every layer, each of nearly the norm of one.

        None of ``neurons`` is drawn. Of each layer's mapped neurons, those not in ``avoid``; where
        these are fewer than `ENOUGH` for each to be drawn, all mapped ones; where these are, all
        neurons of the layer, as far as they go. In a random order each neuron is matched with one
        of the `NEAREST` closest in log norm, without replacement.
        """
        parts = [NO_NEURONS]
        for number in np.unique(neurons[:, 0]).tolist():
            layer = self._layers[number]
            own, avoided = (np.isin(layer.names, of_layer(n, number)) for n in (neurons, avoid))
            pools = (layer.mapped & ~own & ~avoided, layer.mapped & ~own)
            free = next((pool for pool in pools if pool.sum() >= ENOUGH * own.sum()), ~own)
            logs = np.log(np.maximum(layer.norms, LEAST))
            chosen = layer.names[_match(logs[own], logs, free, rng)]
            parts.append(np.stack([np.full(len(chosen), number), chosen], axis=1))
        return np.concatenate(parts)

    def describe(self, neurons: Int[np.ndarray, "set 2"]) -> tuple[int, int, float]:
        """Size of a set, how many of it are not mapped, root mean square of norms (`SET_COLUMNS`).

        The last is NaN of an empty set.
        """
        if not len(neurons):
            return 0, 0, float("nan")
        unmapped, squares = 0, 0.0
        for number in np.unique(neurons[:, 0]).tolist():
            layer = self._layers[number]
            held = np.isin(layer.names, of_layer(neurons, number))
            unmapped += int((held & ~layer.mapped).sum())
            squares += float(np.square(layer.norms[held]).sum())
        return len(neurons), unmapped, float(np.sqrt(squares / len(neurons)))


def of_layer(neurons: Int[np.ndarray, "set 2"], layer: int) -> Int[np.ndarray, " member"]:
    """Neurons of a set that lie in one layer."""
    return neurons[neurons[:, 0] == layer, 1]


def _match(
    wanted: Float[np.ndarray, " own"],
    logs: Float[np.ndarray, " mapped"],
    free: Bool[np.ndarray, " mapped"],
    rng: np.random.Generator,
) -> Int[np.ndarray, " drawn"]:
    """Places of one free neuron for each wanted log norm, as far as there are any."""
    left = rng.permutation(np.flatnonzero(free))  # equal norms come in a random order
    drawn = []
    for log in rng.permutation(wanted)[: len(left)]:
        nearest = np.argsort(np.abs(logs[left] - log), kind="stable")[:NEAREST]
        place = nearest[rng.integers(len(nearest))]
        drawn.append(left[place])
        left = np.delete(left, place)
    return np.array(drawn, dtype=np.int64)
