"""The circuits whose faithfulness is studied: from effects to curves (definitions 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Int64
from torch import Tensor

from pipeline_lib.circuits.curves import (
    Curve,
    first_heads,
    top_neurons_of_late_layers,
    top_neurons_of_mlp0,
)
from pipeline_lib.circuits.faithfulness import measure_circuits
from pipeline_lib.circuits.ranking import Head, prompt_effects, rank_heads
from pipeline_lib.circuits.sizes import log_sizes
from pipeline_lib.interventions.capture import Activations
from pipeline_lib.models.loading import LanguageModel

CIRCUIT_COLUMNS = ["rank", "head", "source"]


@dataclass(frozen=True)
class Ranking:
    """Heads from the most important down, and the importance of every neuron.

    ``importance`` is that at the last position; ``importance_mlp0`` of the first MLP's neurons is
    averaged over the positions before it.
    """

    heads: Sequence[Head]
    importance: Float[np.ndarray, "layer neuron"]
    importance_mlp0: Float[np.ndarray, " neuron"]


def ranked_heads(seeds: Sequence[Float[np.ndarray, "prompt position layer head"]]) -> list[Head]:
    """All heads by their mean effect over prompts, seeds and positions (definitions 9).

    Without prompts, in order of layer and head.
    """
    by_prompt = prompt_effects(seeds)
    shape = by_prompt.shape[1:]
    finite = np.isfinite(by_prompt)
    total, count = np.where(finite, by_prompt, 0.0).sum(axis=0), finite.sum(axis=0)
    mean = np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)
    return rank_heads(mean, mean.size)


def head_curve(model: LanguageModel, ranked: Sequence[Head], max_heads: int) -> Curve:
    """All MLPs and the first 0, 1, ..., ``max_heads`` of the ranked heads."""
    sizes = range(min(max_heads, len(ranked)) + 1)
    return first_heads(ranked, sizes, (model.n_layers, model.n_heads), model.d_mlp)


def fewest_heads(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    answers: Int64[Tensor, " prompt"],
    ranked: Sequence[Head],
    means: Activations,
    *,
    max_heads: int,
    target: float,
) -> list[Head]:
    """The fewest ranked heads that are, with all MLPs, as faithful as ``target`` in the mean.

    If none are, the number of heads that is most faithful; without prompts, no heads. Choose them
    with discovery prompts: the faithfulness of the choice on the same prompts would be flattered.
    """
    if not len(tokens):
        return []
    curve = head_curve(model, ranked, max_heads)
    measures = measure_circuits(model, tokens, answers, [curve], means)
    values = measures.faithfulness
    defined = ~np.isnan(values).all(axis=0)
    mean = values[:, defined].mean(axis=1) if defined.any() else np.full(len(curve), np.nan)
    return list(ranked[: fewest(curve.sizes, mean, target)])


def choose_heads(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    answers: Int64[Tensor, " prompt"],
    ranked: Sequence[Head],
    means: Activations,
    *,
    heads: Sequence[str] | None,
    n_heads: int | Literal["auto"] | None,
    max_heads: int,
    target: float,
) -> tuple[list[Head], str]:
    """The circuit's heads, and how they were chosen: "config", "ranked" or "auto".

    Named ``heads`` if there are any; else the first ``n_heads`` of the ranked (None: none of them),
    or the fewest that reach the target on these prompts (`fewest_heads`).
    """
    if heads:
        return [Head.from_name(name) for name in heads], "config"
    if n_heads == "auto":
        limits: dict[str, Any] = {"max_heads": max_heads, "target": target}
        return fewest_heads(model, tokens, answers, ranked, means, **limits), "auto"
    return list(ranked[: n_heads or 0]), "ranked"


def fewest(
    sizes: Int[np.ndarray, " size"], curve: Float[np.ndarray, " size"], target: float
) -> int:
    """The smallest size whose faithfulness is at least ``target``, else the most faithful size.

    A curve need not rise, so a larger size may be less faithful again. NaN reaches nothing.
    """
    reached = np.flatnonzero(curve >= target)
    best = np.argmax(np.where(np.isnan(curve), -np.inf, curve))
    return int(sizes[reached[0] if len(reached) else best])


def study_curves(
    model: LanguageModel,
    ranking: Ranking,
    circuit: Sequence[Head],
    *,
    max_heads: int,
    n_points: int,
    first_late_layer: int,
    late_share: float,
) -> list[Curve]:
    """The curves of figures 4b, 11 and 12b, and the circuit with all MLPs (table 1).

    "heads": the ranked heads, one by one. "circuit": the circuit's heads. "neurons": its heads and
    the top k of every late layer. "mlp0": its heads, ``late_share`` of the late layers' neurons and
    the top k of the first MLP; k in ``n_points`` logarithmic steps.
    """
    shape = (model.n_layers, model.n_heads)
    whole = first_heads(circuit, [len(circuit)], shape, model.d_mlp)
    sizes = log_sizes(model.d_mlp, n_points)
    late = top_neurons_of_late_layers(
        circuit, model.n_heads, ranking.importance, sizes, first_late_layer=first_late_layer
    )
    mlp0 = top_neurons_of_mlp0(
        circuit,
        model.n_heads,
        ranking.importance,
        ranking.importance_mlp0,
        sizes,
        first_late_layer=first_late_layer,
        late_share=late_share,
    )
    named = Curve("circuit", whole.sizes, whole.heads, whole.neurons)
    return [head_curve(model, ranking.heads, max_heads), named, late, mlp0]


def circuit_table(heads: Sequence[Head], source: str) -> pd.DataFrame:
    """The circuit's heads as a table: rank from 1, name, and how they were chosen."""
    names = [head.name for head in heads]
    ranks = np.arange(1, len(heads) + 1)
    return pd.DataFrame({"rank": ranks, "head": names, "source": source}, columns=CIRCUIT_COLUMNS)
