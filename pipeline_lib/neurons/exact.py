"""Exact effects of single neurons beside their estimates (definitions 12)."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from pipeline_lib.interventions.attribute import attribute_neurons
from pipeline_lib.interventions.capture import Activations
from pipeline_lib.interventions.neurons import patch_neurons
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.rng import generator

STRATA = ("top", "middle", "random", "all")
CHOSEN_COLUMNS = ["layer", "neuron", "stratum", "weight"]


@dataclass(frozen=True)
class NeuronEffects:
    """Effect of each neuron's patch at the last position, per prompt: exact, and two estimates.

    indirect_effect is eq. 1, log_odds_change that of log P(r)/P(r') (nats); gradient and integrated
    are the attributions, estimates of the former to first order and of -1/2 of the latter.
    """

    indirect_effect: Float[np.ndarray, "prompt neuron"]
    log_odds_change: Float[np.ndarray, "prompt neuron"]
    gradient: Float[np.ndarray, "prompt neuron"]
    integrated: Float[np.ndarray, "prompt neuron"]


def choose_neurons(
    importance: Float[np.ndarray, "layer neuron"],
    per_stratum: int | Literal["all"],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Neurons to patch: all of them, or a sample of every layer, stratified by importance.

    Of each layer the ``per_stratum`` most important, as many around the median, and as many of the
    others at random. ``weight`` is how many neurons each stands for (`CHOSEN_COLUMNS`); a layer
    with no more neurons than are asked for is taken whole.
    """
    parts = [_of_layer(layer, values, per_stratum, rng) for layer, values in enumerate(importance)]
    return pd.concat(parts, ignore_index=True)[CHOSEN_COLUMNS]


def _of_layer(
    layer: int,
    values: Float[np.ndarray, " neuron"],
    per_stratum: int | Literal["all"],
    rng: np.random.Generator,
) -> pd.DataFrame:
    n = len(values)
    if per_stratum == "all" or len(STRATA[:3]) * per_stratum >= n:
        return pd.DataFrame(
            {"layer": layer, "neuron": np.arange(n), "stratum": "all", "weight": 1.0}
        )
    order = np.argsort(-values, kind="stable")
    middle = max(per_stratum, (n - per_stratum) // 2)
    named = {"top": order[:per_stratum], "middle": order[middle : middle + per_stratum]}
    others = np.setdiff1d(order, np.concatenate(list(named.values())))
    named["random"] = np.sort(rng.choice(others, per_stratum, replace=False))
    weights = {"top": 1.0, "middle": 1.0, "random": len(others) / per_stratum}
    return pd.concat(
        [
            pd.DataFrame(
                {"layer": layer, "neuron": neurons, "stratum": name, "weight": weights[name]}
            )
            for name, neurons in named.items()
        ]
    )


def choose_prompts(
    n_prompts: int, most: int, seed: int, operator: str
) -> Int64[np.ndarray, " chosen"]:
    """Rows of up to ``most`` of an operator's discovery prompts; the same for every model."""
    order = generator(seed, "exact_prompts", operator).permutation(n_prompts)
    return np.sort(order[:most])


def measure_neurons(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    answers: tuple[Int64[Tensor, " prompt"], Int64[Tensor, " prompt"]],
    clean: Activations,
    counterfactual: Activations,
    chosen: pd.DataFrame,
    *,
    steps: int,
) -> NeuronEffects:
    """Patch the chosen neurons one at a time at the last position, and estimate the same.

    ``answers`` are the tokens of r and r'; the activations hold mlp_post at the last position, at
    all layers. ``steps`` gradients make the integrated estimate. Raises what `patch_neurons` does.
    """
    layers, neurons = (torch.tensor(chosen[name].to_numpy()) for name in ("layer", "neuron"))
    patched = patch_neurons(model, tokens, counterfactual, *answers, layers, neurons)
    ends = clean.at([-1]), counterfactual.at([-1])
    gradient, integrated = (
        attribute_neurons(model, tokens, *answers, *ends, method=method, steps=steps)
        for method in ("gradient", "integrated")
    )
    return NeuronEffects(
        patched.indirect_effect(),
        patched.log_odds_change(),
        *(found[:, 0, layers, neurons].double().numpy() for found in (gradient, integrated)),
    )


def join_effects(parts: Sequence[NeuronEffects]) -> NeuronEffects:
    """Effects in several tables of prompts, one after the other."""
    names = [field.name for field in fields(NeuronEffects)]
    return NeuronEffects(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))
