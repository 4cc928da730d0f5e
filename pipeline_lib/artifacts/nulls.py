"""Evidence and scores of maps that are not supposed to implement a heuristic (definitions 17).

One table (`NULL_COLUMNS`) per operator; a direction's "neuron" is its number in the layer. The maps
themselves are not kept: they are as large as those of the neurons that are analysed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pipeline_lib.artifacts.map_writing import neuron_value_logits
from pipeline_lib.heuristics.calibration.evidence import Evidence
from pipeline_lib.heuristics.calibration.families import NULL_COLUMNS, low_effect_neurons
from pipeline_lib.heuristics.calibration.strongest import Contest
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.matching import Kind
from pipeline_lib.heuristics.table import best_scores
from pipeline_lib.interventions.capture import Activations, iter_reduced
from pipeline_lib.interventions.hooks import metric_dtype
from pipeline_lib.interventions.values import direction_logits
from pipeline_lib.logs import progress
from pipeline_lib.models.loading import LanguageModel, untrained_twin
from pipeline_lib.pieces import resumed

BLOCK = 64  # maps measured at once

Tokens = Int64[Tensor, "prompt pos"]


@dataclass(frozen=True)
class Readouts:
    """Weighted sums of one layer's neurons at "=", with what they write in number tokens."""

    family: str
    layer: int
    weights: Float[Tensor, "d_mlp map"]
    value_logits: Float[np.ndarray, "map number"]
    names: Int64[np.ndarray, " map"]


def single_neurons(
    family: str,
    model: LanguageModel,
    neurons: pd.DataFrame,
    number_ids: Int64[np.ndarray, " number"],
) -> list[Readouts]:
    """Neurons (columns layer, neuron) as readouts, one group a layer."""
    found = []
    for layer, rows in neurons.groupby("layer"):
        names = rows["neuron"].to_numpy(np.int64)
        weights = torch.eye(model.d_mlp, dtype=metric_dtype(model))[:, torch.tensor(names)]
        logits = neuron_value_logits(model, rows, number_ids)
        found.append(Readouts(family, int(str(layer)), weights, logits, names))
    return found


def random_directions(
    model: LanguageModel,
    layers: list[int],
    count: int,
    number_ids: Int64[np.ndarray, " number"],
    rng: np.random.Generator,
) -> list[Readouts]:
    """Random unit directions of the output of each layer's MLP, as readouts of its neurons."""
    found = []
    for layer in layers:
        drawn = rng.standard_normal((count, model.d_model))
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        directions = torch.tensor(drawn, dtype=metric_dtype(model))
        weights = model.w_out(layer).to("cpu", directions.dtype) @ directions.T
        logits = direction_logits(model, directions, torch.tensor(number_ids)).float().numpy()
        found.append(Readouts("direction", layer, weights, logits, np.arange(count)))
    return found


def readout_maps(
    model: LanguageModel, tokens: Tokens, readouts: list[Readouts]
) -> list[Float[np.ndarray, "map prompt"]]:
    """The map of every readout over the prompts, in one run of them all.

    Raises ActivationError for NaN or infinite activations.
    """
    layers = sorted({readout.layer for readout in readouts})
    maps = [np.empty((len(r.names), len(tokens)), dtype=np.float32) for r in readouts]

    def read(batch: Activations) -> tuple[Tensor, ...]:
        post = batch.site("mlp_post")[:, 0]
        parts = (post[:, layers.index(readout.layer)] @ readout.weights for readout in readouts)
        return tuple(part.T.float() for part in parts)

    mapped = iter_reduced(
        model, tokens, read, ("mlp_post",), layers=layers, positions=[-1], keep_logits=False
    )
    for prompts, parts in progress(mapped, "mapping nulls") if layers else ():
        for found, part in zip(maps, parts, strict=True):
            found[:, prompts] = part.numpy()
    return maps


def null_tables(
    model: LanguageModel,
    tokens: Tokens,
    neurons: pd.DataFrame,
    effects: Float[np.ndarray, "layer neuron"],
    index: HeuristicIndex,
    number_ids: Int64[np.ndarray, " number"],
    *,
    kind: Kind,
    max_base_rate: float,
    per_layer: int,
    scored: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Evidence of all families for one operator (NULL_COLUMNS), ``per_layer`` maps of each.

    ``tokens`` are the prompts of the index, ``neurons`` (layer, neuron) those that are analysed,
    ``effects`` the mean attribution of all neurons. Runs every prompt twice: in the model and
    in its untrained twin, which takes the model's memory once more.
    """
    if not len(neurons) or not len(tokens):
        return pd.DataFrame(columns=NULL_COLUMNS)
    contest = Contest.of(Evidence.build(index, max_base_rate), kind)
    layers = sorted(set(neurons["layer"]))
    silent = low_effect_neurons(effects, neurons, per_layer)
    own = single_neurons("low_effect", model, silent, number_ids)
    own += random_directions(model, layers, per_layer, number_ids, rng)
    twin = untrained_twin(model, int(rng.integers(2**31)))
    some = range(min(per_layer, model.d_mlp))
    drawn = pd.DataFrame(product(layers, some), columns=["layer", "neuron"])
    other = single_neurons("untrained", twin, drawn, number_ids)
    options: dict[str, Any] = {"max_base_rate": max_base_rate, "scored": scored}
    tables = [
        null_table(m, tokens, r, contest, kind, **options) for m, r in ((model, own), (twin, other))
    ]
    return pd.concat(tables, ignore_index=True)


def null_table(
    model: LanguageModel,
    tokens: Tokens,
    readouts: list[Readouts],
    contest: Contest,
    kind: Kind,
    *,
    max_base_rate: float,
    scored: int,
) -> pd.DataFrame:
    """Evidence of every readout (NULL_COLUMNS), and the best score of the first ``scored`` of each.

    Scores take ten times as long; for those that have none they are NaN.
    """
    index = contest.k.index
    maps = readout_maps(model, tokens, readouts)

    def measured(block: tuple[int, slice]) -> tuple[np.ndarray, np.ndarray]:
        number, rows = block
        k_maps = maps[number][rows]
        kv_maps = k_maps * readouts[number].value_logits[rows][:, index.results]
        scores = np.full(len(k_maps), np.nan)
        if (some := min(len(k_maps), scored - rows.start)) > 0:
            first = k_maps[:some], kv_maps[:some]
            scores[:some] = best_scores(*first, index, kind, max_base_rate)
        return contest.strongest(k_maps, kv_maps).evidence, scores

    parts = [pd.DataFrame(columns=NULL_COLUMNS)]
    blocks = [(n, rows) for n, k_maps in enumerate(maps) for rows in _blocks(len(k_maps))]
    for (number, rows), (evidence, scores) in resumed(
        progress(blocks, "measuring nulls"), measured
    ):
        readout = readouts[number]
        names = {"family": readout.family, "layer": readout.layer, "neuron": readout.names[rows]}
        parts.append(pd.DataFrame({**names, "evidence": evidence, "score": scores}))
    filled = [part for part in parts if len(part)]
    return pd.concat(filled or parts, ignore_index=True)[NULL_COLUMNS]


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK))
