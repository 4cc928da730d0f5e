"""Score of every neuron on every heuristic (paper appendix F).

score = |top k prompts of the neuron's map that the heuristic holds for| / k
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from pipeline_lib.errors import ActivationError
from pipeline_lib.heuristics.counting import Counter, Prepared, Ranking, expected_counts
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.mining import mine_values, top_weights, zero_multiples
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.heuristics.types import ExactValue, Heuristic, Modulo

Kind = Literal["K", "KV", "hybrid"]
End = Literal["top", "bottom"]
Ends = Literal["top", "both"]
Scope = Literal["all", "operands", "result"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Maps = Float[np.ndarray, "neuron prompt"]
Scores = Float[np.ndarray, "neuron heuristic"]
MULTI_VALUE_COLUMNS = ["row", "heuristic", "score", "base_rate"]


@dataclass(frozen=True)
class MapScores:
    """Scores of one set of maps (all K maps, or all KV maps)."""

    top: Float[np.ndarray, "neuron heuristic"]
    """Score on the k prompts with the highest activation, float32."""
    bottom: Float[np.ndarray, "neuron heuristic"]
    """Score on the k prompts with the lowest activation, float32."""
    multi_value: pd.DataFrame
    """Multi-value heuristics found: row (of the maps), heuristic, score (top), base_rate."""


@dataclass(frozen=True)
class KindScores:
    """Scores of one kind of matching and where each comes from."""

    score: Float[np.ndarray, "neuron heuristic"]
    bottom: Bool[np.ndarray, "neuron heuristic"]
    """Whether the score is that of the lowest activations."""


def score_neurons(
    k_maps: Maps,
    kv_maps: Maps,
    index: HeuristicIndex,
    neurons: pd.DataFrame | None = None,
    *,
    kinds: tuple[Kind, ...] = KINDS,
) -> tuple[MapScores, MapScores]:
    """Scores of the K and the KV maps of the same neurons; what these kinds do not need is 0."""
    only_hybrid = set(kinds) == {"hybrid"}
    # the limit on "result = 0" needs that result's score on the K maps too
    needs_results = index.settings.zero_result_limit is not None and index.operator == "mul"
    k_scope: Scope = "operands" if only_hybrid and not needs_results else "all"
    kv_scope: Scope = "result" if only_hybrid else "all"
    kv_ends: Ends = "top" if index.settings.sides == "by_map" else "both"
    k = score_maps(k_maps, index, neurons, scope=k_scope)
    return k, score_maps(kv_maps, index, neurons, ends=kv_ends, scope=kv_scope)


def score_maps(
    maps: Maps,
    index: HeuristicIndex,
    neurons: pd.DataFrame | None = None,
    *,
    ends: Ends = "both",
    scope: Scope = "all",
) -> MapScores:
    """Score maps over the index's prompts on all its heuristics.

    ``neurons`` (columns layer, neuron; one row per map) only names them in errors. Ties count as if
    broken at random. Under pattern_source "top_prompts" the score of a pattern or exact value that
    was not mined from that end of the neuron's ranking is 0. ``ends`` "top" leaves the bottom at 0,
    ``scope`` "operands" the heuristics on the result, "result" all others.
    Raises ActivationError if a map holds NaN or infinite values.
    """
    _check_finite(maps, neurons)
    top = np.zeros((len(maps), len(index.heuristics)), dtype=np.float32)
    bottom = np.zeros_like(top)
    found = []
    counters = _counters(index, scope)
    for row, activations in enumerate(maps):
        ranking = Ranking.of(activations)
        prepared = [(counter, counter.prepare(ranking)) for counter in counters]
        top[row] = _end_scores(ranking, prepared, index, "top")
        if ends == "both":
            bottom[row] = _end_scores(ranking, prepared, index, "bottom")
        few = _multi_value(ranking, index) if scope != "operands" else None
        found += [] if few is None else [(row, *few)]
    _drop_zero_multiples(top, bottom, index)
    return MapScores(top, bottom, pd.DataFrame(found, columns=MULTI_VALUE_COLUMNS))


def _counters(index: HeuristicIndex, scope: Scope) -> list[Counter]:
    """Counters of the heuristics in scope (each counter is on one target)."""
    if scope == "all":
        return list(index.counters)
    wanted = index.on_result == (scope == "result")
    return [counter for counter in index.counters if wanted[counter.rows].all()]


def kind_scores(k: MapScores, kv: MapScores, index: HeuristicIndex, kind: Kind) -> KindScores:
    """Scores of one kind: "K", "KV", or "hybrid" (results from the KV maps, all others from K).

    Under sides "by_map" K maps count from both ends and KV maps from the top (the paper). Under
    "by_type" (the authors) both maps count from both ends for heuristics on operands and on the
    result modulo n, and from the top for all others.
    """
    from_k = _better_end(k, two_sided(index.settings, index.heuristics, "K"))
    from_kv = _better_end(kv, two_sided(index.settings, index.heuristics, "KV"))
    if kind == "hybrid":
        result = index.on_result
        return KindScores(
            np.where(result, from_kv.score, from_k.score),
            np.where(result, from_kv.bottom, from_k.bottom),
        )
    return from_k if kind == "K" else from_kv


def multi_value_scores(k: MapScores, kv: MapScores, kind: Kind) -> pd.DataFrame:
    """Multi-value heuristics (on the result) of one kind: row, heuristic, score, base_rate."""
    return k.multi_value if kind == "K" else kv.multi_value


def _end_scores(
    ranking: Ranking, prepared: list[tuple[Counter, Prepared]], index: HeuristicIndex, end: End
) -> Float[np.ndarray, "heuristic"]:
    """Scores on one end; the bottom k prompts are all but the top n - k."""
    counts, n = np.zeros(len(index.heuristics)), len(ranking.order)
    for counter, keys in prepared:
        rows = counter.rows
        if end == "top":
            counts[rows] = expected_counts(counter, keys, ranking, index.k[rows])
        else:
            rest = expected_counts(counter, keys, ranking, n - index.k[rows])
            counts[rows] = index.size[rows] - rest
    scores = counts / np.maximum(index.k, 1)
    if index.miners:
        scores[~_counted(ranking if end == "top" else ranking.reversed(), index)] = 0.0
    return scores


def _counted(ranking: Ranking, index: HeuristicIndex) -> Bool[np.ndarray, "heuristic"]:
    """Heuristics that count for a neuron: patterns and exact values only if mined from it."""
    mined = [m.mine(ranking, index.mining_depth, index.settings) for m in index.miners]
    counted = ~index.of_mined_type
    counted[np.concatenate(mined)] = True
    return counted


def _multi_value(ranking: Ranking, index: HeuristicIndex) -> tuple[str, float, float] | None:
    """Name, score and base rate of the few results that make up a neuron's top prompts.

    Scored on as many prompts as have these results, or on the authors' number of top prompts.
    """
    if index.operator != "div":
        return None
    few = mine_values(ranking, index.results, index.settings)
    if few is None:
        return None
    member = few.members(index.prompts)
    formula = index.settings.size_rule == "formula"
    k = min(index.settings.multi_value_prompts, len(member)) if formula else int(member.sum())
    weights = top_weights(ranking, k)
    inside = weights @ member[ranking.order[: len(weights)]]
    return few.name, float(inside / k), float(member.mean())


def _drop_zero_multiples(top: Scores, bottom: Scores, index: HeuristicIndex) -> None:
    """Set to 0 what a neuron for "result = 0" meets by the way (`zero_result_limit`)."""
    limit, zero = index.settings.zero_result_limit, ExactValue("result", 0)
    if limit is None or index.operator != "mul" or zero not in index.heuristics:
        return
    at_zero = top[:, index.heuristics.index(zero)] >= limit
    cells = np.ix_(at_zero, zero_multiples(index.heuristics))
    top[cells] = bottom[cells] = 0.0


def _better_end(scores: MapScores, two_sided: Bool[np.ndarray, "heuristic"]) -> KindScores:
    bottom = (scores.bottom > scores.top) & two_sided
    return KindScores(np.where(bottom, scores.bottom, scores.top), bottom)


def two_sided(
    settings: HeuristicSettings, heuristics: Sequence[Heuristic], kind: Kind
) -> Bool[np.ndarray, "heuristic"]:
    """Heuristics that may hold at the bottom of the maps ("K" or "KV") as well as at the top."""
    if settings.sides == "by_map":
        return np.full(len(heuristics), kind == "K")
    return np.array([_authors_two_sided(h) for h in heuristics], dtype=bool)


def _authors_two_sided(heuristic: Heuristic) -> bool:
    on_operand = heuristic.target in ("op1", "op2", "both")
    return on_operand or isinstance(heuristic, Modulo)


def _check_finite(maps: Maps, neurons: pd.DataFrame | None) -> None:
    bad = np.flatnonzero(~np.isfinite(maps).all(axis=1))
    if not len(bad):
        return
    where = f"map {bad[0]}"
    if neurons is not None:
        first = neurons.iloc[bad[0]]
        where = f"layer {first['layer']}, neuron {first['neuron']}"
    raise ActivationError(
        "A neuron's activation map holds NaN or infinite values.",
        where=where,
        value=f"{len(bad)} of {len(maps)} maps",
        hint="check the model's weights, or run it in float32",
    )
