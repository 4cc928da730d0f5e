"""Importance of neurons from their per-prompt effects, and the top neurons of each layer."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

from pipeline_lib.errors import ConfigError

ImportanceRule = Literal["mean", "mean_plus_std"]


@dataclass(frozen=True)
class Importance:
    """Importance of every neuron (higher is more) and how many of its inputs were NaN."""

    values: Float[np.ndarray, "layer neuron"]
    n_nan: int


def importance(
    effects: Float[np.ndarray, "prompt layer neuron"], rule: ImportanceRule
) -> Importance:
    """Importance of every neuron from its effects at the last position (definitions 3).

    ``rule``: "mean" over prompts (the paper) or "mean_plus_std" (the authors' code, which adds
    the unbiased standard deviation). NaN effects count as 0 and are counted.
    """
    missing = np.isnan(effects)
    clean = np.where(missing, 0.0, effects).astype(np.float64)
    if not len(clean):
        return Importance(np.zeros(effects.shape[1:]), 0)
    values = clean.mean(axis=0)
    if rule == "mean_plus_std":
        values = values + clean.std(axis=0, ddof=min(1, len(clean) - 1))
    return Importance(values, int(missing.sum()))


def importance_at(
    mean: Float[np.ndarray, "position neuron"],
    std: Float[np.ndarray, "position neuron"],
    rule: ImportanceRule,
) -> Float[np.ndarray, " neuron"]:
    """Importance averaged over positions, from the mean and deviation of effects at each.

    For the first MLP, which acts before the last position (definitions 5). NaN counts as 0.
    """
    values = mean + std if rule == "mean_plus_std" else mean
    return np.nan_to_num(values).mean(axis=0)


def first_layer(setting: int | str, n_layers: int) -> int:
    """The first layer whose neurons are analysed: a layer index, or "half" of the layers.

    Raises ConfigError for a layer the model does not have.
    """
    if setting == "half":
        return n_layers // 2
    if int(setting) >= n_layers:
        raise ConfigError(
            "the first heuristics layer does not exist in this model",
            where="arithmetic.neurons.first_heuristics_layer",
            value=setting,
            hint=f"The model has the layers 0 to {n_layers - 1}.",
        )
    return int(setting)


def top_neurons(
    values: Float[np.ndarray, "layer neuron"], *, first_heuristics_layer: int, per_layer: int
) -> pd.DataFrame:
    """The ``per_layer`` most important neurons of every layer from ``first_heuristics_layer`` on.

    Returns the columns layer, neuron, rank (0 is the most important of its layer) and importance,
    ordered by layer and rank; equal importances are ordered by neuron index.
    """
    tables = []
    for layer in range(first_heuristics_layer, len(values)):
        order = np.argsort(-values[layer], kind="stable")[:per_layer]
        tables.append(
            pd.DataFrame(
                {
                    "layer": layer,
                    "neuron": order,
                    "rank": np.arange(len(order)),
                    "importance": values[layer, order],
                }
            )
        )
    return pd.concat(tables, ignore_index=True)
