"""How well an estimate of neurons' effects agrees with the exact ones: values, ranks, the top.

Arrays [..., neuron] of one layer or several; ``weights`` say how many neurons each stands for where
they are a stratified sample.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from pipeline_lib.stats import ends_of, nested_weights

TOP = (10, 25, 50, 100, 200, 500, 1_000, 2_000, 5_000)
EVERY_LAYER = -1
AGREEMENT_COLUMNS = ["measure", "layer", "k", "value", "low", "high", "chance", "n_neurons"]
BLOCK_VALUES = 1 << 24  # resampled means held at once

Values = Float[np.ndarray, "*resample neuron"]
Weights = Float[np.ndarray, " neuron"]


def pearson(x: Values, y: Values, weights: Weights) -> Float[np.ndarray, "*resample"]:
    """Weighted correlation along the last axis; NaN where either is constant."""
    share = weights / weights.sum()
    x, y = (v - (v * share).sum(-1, keepdims=True) for v in (x, y))
    deviations = np.sqrt((x**2 * share).sum(-1) * (y**2 * share).sum(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(deviations > 0, (x * y * share).sum(-1) / deviations, np.nan))


def midranks(x: Values, weights: Weights) -> Values:
    """Weighted ranks along the last axis, equal values sharing the middle of theirs."""
    order = np.argsort(x, axis=-1, kind="stable")
    ordered, w = np.take_along_axis(x, order, -1), weights[order]
    after = np.cumsum(w, axis=-1)
    is_new = np.ones(x.shape, dtype=bool)
    is_new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    is_last = np.roll(is_new, -1, axis=-1)
    start = np.maximum.accumulate(np.where(is_new, after - w, 0.0), axis=-1)
    end = np.where(is_last, after, np.inf)[..., ::-1]
    end = np.minimum.accumulate(end, axis=-1)[..., ::-1]
    ranks = np.empty(x.shape)
    np.put_along_axis(ranks, order, (start + end) / 2, -1)
    return ranks


def spearman(x: Values, y: Values, weights: Weights) -> Float[np.ndarray, "*resample"]:
    """Weighted correlation of ranks along the last axis."""
    return pearson(midranks(x, weights), midranks(y, weights), weights)


def places(x: Values) -> Int[np.ndarray, "*resample neuron"]:
    """Place of every value along the last axis, 0 the largest; ties go to the lower index."""
    order = np.argsort(-x, axis=-1, kind="stable")
    found = np.empty(x.shape, dtype=np.int64)
    np.put_along_axis(found, order, np.broadcast_to(np.arange(x.shape[-1]), x.shape), -1)
    return found


def top_overlap(
    x: Int[np.ndarray, "*resample neuron"], y: Int[np.ndarray, "*resample neuron"], k: int
) -> Float[np.ndarray, "*resample"]:
    """Share of the k neurons in the first places of x that are among the first k of y.

    Chance is k / neurons.
    """
    return np.asarray(((x < k) & (y < k)).sum(-1) / k)


def agreement(
    exact: Float[np.ndarray, "seed prompt neuron"],
    estimate: Float[np.ndarray, "seed prompt neuron"],
    layers: Int[np.ndarray, " neuron"],
    weights: Weights,
    rng: np.random.Generator,
    n: int = 1000,
) -> pd.DataFrame:
    """Agreement of the mean effects, in every layer and over all, with 95 % bootstrap intervals.

    pearson and spearman: over all layers' neurons together, then in each layer. overlap: of the
    top k of each layer, k in `TOP` and below the neurons of a layer; over all layers the mean of
    theirs. An interval resamples prompts and seeds, the same for both. layer is -1 for all
    (`AGREEMENT_COLUMNS`). No rows without prompts.
    """
    labels = list(_labels(layers))
    if not exact.shape[0] * exact.shape[1]:
        return pd.DataFrame(columns=AGREEMENT_COLUMNS)
    x, y = (values.reshape(-1, len(layers)).astype(np.float64) for values in (exact, estimate))
    drawn = nested_weights(exact.shape[0], exact.shape[1], rng, n).reshape(n, -1)
    size = max(1, BLOCK_VALUES // len(layers))
    parts = [drawn[start : start + size] for start in range(0, n, size)]
    blocks = [_measures(part @ x, part @ y, layers, weights, labels) for part in parts]
    value = _measures(x.mean(axis=0), y.mean(axis=0), layers, weights, labels)
    low, high = ends_of(np.concatenate(blocks, axis=1).T)
    table = pd.DataFrame(labels, columns=["measure", "layer", "k"])
    counts = {layer: int((layers == layer).sum()) for layer in np.unique(layers).tolist()}
    n_neurons = table["layer"].map({**counts, EVERY_LAYER: len(layers)})
    chance = [
        _chance(k, layer, counts) for layer, k in zip(table["layer"], table["k"], strict=True)
    ]
    return table.assign(value=value, low=low, high=high, chance=chance, n_neurons=n_neurons)[
        AGREEMENT_COLUMNS
    ]


def _labels(layers: Int[np.ndarray, " neuron"]) -> Iterator[tuple[str, int, int]]:
    """(measure, layer, k) of every number that is made; k is 0 where there is none."""
    every = [EVERY_LAYER, *np.unique(layers).tolist()]
    for measure in ("pearson", "spearman"):
        yield from ((measure, layer, 0) for layer in every)
    least = np.unique(layers, return_counts=True)[1].min() if len(layers) else 0
    yield from (("overlap", layer, k) for k in TOP if k < least for layer in every)


def _chance(k: int, layer: int, counts: dict[int, int]) -> float:
    """Overlap of two random sets of k neurons; a correlation's is 0."""
    if layer != EVERY_LAYER:
        return k / counts[layer]
    return float(np.mean([k / count for count in counts.values()]))


def _measures(
    exact: Values,
    estimate: Values,
    layers: Int[np.ndarray, " neuron"],
    weights: Weights,
    labels: Sequence[tuple[str, int, int]],
) -> Float[np.ndarray, "label *resample"]:
    found: dict[tuple[str, int, int], np.ndarray] = {}
    sizes = sorted({k for measure, _, k in labels if measure == "overlap"})
    for layer in dict.fromkeys(layer for _, layer, _ in labels):
        here = np.ones(len(layers), dtype=bool) if layer == EVERY_LAYER else layers == layer
        x, y = exact[..., here], estimate[..., here]
        found["pearson", layer, 0] = pearson(x, y, weights[here])
        found["spearman", layer, 0] = spearman(x, y, weights[here])
        if layer != EVERY_LAYER:
            tops = places(x), places(y)
            found.update({("overlap", layer, k): top_overlap(*tops, k) for k in sizes})
    for k in sizes:
        each = [value for (m, _, size), value in found.items() if (m, size) == ("overlap", k)]
        found["overlap", EVERY_LAYER, k] = np.mean(each, axis=0)
    return np.stack([found[label] for label in labels])
