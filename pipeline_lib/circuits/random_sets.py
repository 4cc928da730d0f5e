"""A circuit against random sets of as many heads: is it better than what chance would pick."""

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from math import comb, prod
from typing import Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Int, Int64
from torch import Tensor

from pipeline_lib.circuits.curves import Curve
from pipeline_lib.circuits.faithfulness import Measures, measure_circuits
from pipeline_lib.circuits.ranking import Head
from pipeline_lib.interventions.batching import batches
from pipeline_lib.interventions.capture import Activations
from pipeline_lib.measures.faithfulness import ratio_of_means
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.stats import bootstrap_mean_interval

Null = Literal["any", "layer"]
NULLS: tuple[Null, ...] = ("any", "layer")
CIRCUIT = "circuit"
SET_COLUMNS = [
    "kind", "set", "n_possible", "faithfulness", "low", "high", "ratio_of_means", "kl", "accuracy",
    "n_prompts", "n_undefined",
]  # fmt: skip
SETS_AT_ONCE = 64  # whose masks are held

Masks = Bool[np.ndarray, "set layer head"]


def circuit_mask(circuit: Sequence[Head], shape: tuple[int, int]) -> Bool[np.ndarray, "layer head"]:
    """Which of [layer, head] are in the circuit."""
    mask = np.zeros(shape, dtype=bool)
    for head in circuit:
        mask[head.layer, head.head] = True
    return mask


def n_possible(circuit: Bool[np.ndarray, "layer head"], null: Null) -> int:
    """Sets of as many heads: anywhere, or in each layer as many as the circuit has there."""
    if null == "any":
        return comb(circuit.size, int(circuit.sum()))
    return prod(comb(circuit.shape[1], int(n)) for n in circuit.sum(axis=1))


def draw_sets(
    circuit: Bool[np.ndarray, "layer head"], null: Null, n: int, rng: np.random.Generator
) -> Masks:
    """``n`` random sets of as many heads, independent of each other; all where no more exist."""
    if n_possible(circuit, null) <= n:
        return np.array(list(_every_set(circuit, null)))
    groups = circuit.reshape(1, -1) if null == "any" else circuit
    random = rng.random((n, *groups.shape))
    # the heads with the smallest random numbers of their group, as many as the circuit has there
    places = random.argsort(axis=-1).argsort(axis=-1)
    return (places < groups.sum(axis=1)[:, None]).reshape(n, *circuit.shape)


def _every_set(
    circuit: Bool[np.ndarray, "layer head"], null: Null
) -> Iterator[Bool[np.ndarray, "layer head"]]:
    groups = circuit.reshape(1, -1) if null == "any" else circuit
    choices = [combinations(range(groups.shape[1]), int(n)) for n in groups.sum(axis=1)]
    for chosen in product(*map(list, choices)):
        mask = np.zeros(groups.shape, dtype=bool)
        for row, members in zip(mask, chosen, strict=True):
            row[list(members)] = True
        yield mask.reshape(circuit.shape)


def measure_sets(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    answers: Int64[Tensor, " prompt"],
    circuit: Sequence[Head],
    means: Activations,
    *,
    n_sets: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Means over prompts of the circuit and of random sets, with all MLPs (definitions 13).

    A row a set (`SET_COLUMNS`): first the circuit, then sets of either kind of `NULLS`. Prompts
    whose faithfulness is undefined are left out of its mean; low, high: its 95 % bootstrap interval
    over prompts. No rows without prompts.
    """
    if not len(tokens):
        return pd.DataFrame(columns=SET_COLUMNS)
    mask = circuit_mask(circuit, (model.n_layers, model.n_heads))
    parts = [_rows(CIRCUIT, 1, _measure(model, tokens, answers, mask[None], means), rng)]
    for null in NULLS:
        sets = draw_sets(mask, null, n_sets, rng)
        measured = _measure(model, tokens, answers, sets, means)
        parts.append(_rows(null, n_possible(mask, null), measured, rng))
    return pd.concat(parts, ignore_index=True)


def _measure(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    answers: Int64[Tensor, " prompt"],
    sets: Masks,
    means: Activations,
) -> list[Measures]:
    found = []
    for rows in batches(len(sets), SETS_AT_ONCE):
        heads = torch.from_numpy(sets[rows])
        every = torch.ones(len(heads), model.n_layers, model.d_mlp, dtype=torch.bool)
        curve = Curve("sets", np.arange(len(heads)), heads, every)
        found.append(measure_circuits(model, tokens, answers, [curve], means))
    return found


def _rows(
    kind: str, possible: int, measured: Sequence[Measures], rng: np.random.Generator
) -> pd.DataFrame:
    """A row a set: means over prompts."""
    faithful, nl, kl, correct = (
        np.concatenate([getattr(part, name) for part in measured])
        for name in ("faithfulness", "nl", "kl", "correct")
    )
    defined = ~np.isnan(faithful).any(axis=0)
    none, whole = measured[0].nl_none, measured[0].nl_model
    low, high = bootstrap_mean_interval(faithful[:, defined].T, rng)
    values = {
        "faithfulness": faithful[:, defined].mean(axis=1) if defined.any() else np.nan,
        "low": low,
        "high": high,
        "ratio_of_means": ratio_of_means(nl.T, none, whole),
        "kl": kl.mean(axis=1),
        "accuracy": correct.mean(axis=1),
    }
    counts = {"n_prompts": len(defined), "n_undefined": int((~defined).sum())}
    # as text: with many heads there are more sets than an integer column holds
    named = {"kind": kind, "set": np.arange(len(nl)), "n_possible": str(possible)}
    return pd.DataFrame({**named, **values, **counts})[SET_COLUMNS]
