"""Tidy table of the neurons that belong to a heuristic."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from pipeline_lib.heuristics.index import HeuristicIndex, is_degenerate
from pipeline_lib.heuristics.matching import (
    KINDS,
    Kind,
    Maps,
    MapScores,
    kind_scores,
    multi_value_scores,
    score_neurons,
)
from pipeline_lib.heuristics.types import Heuristic

MATCH_COLUMNS = [
    "kind",
    "layer",
    "neuron",
    "heuristic",
    "label",
    "type",
    "target",
    "map",
    "side",
    "score",
    "base_rate",
    "corrected_score",
]


def chance_corrected(
    score: Float[np.ndarray, "..."], base_rate: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    """(score - base rate) / (1 - base rate): 0 is what a meaningless map scores, 1 a perfect one.

    NaN where the heuristic holds for every prompt (definitions 7).
    """
    room = 1.0 - base_rate
    return np.where(room > 0, (score - base_rate) / np.where(room > 0, room, 1.0), np.nan)


def match_table(
    k: MapScores,
    kv: MapScores,
    index: HeuristicIndex,
    neurons: pd.DataFrame,
    *,
    threshold: float,
    kinds: tuple[Kind, ...] = KINDS,
    max_base_rate: float = 1.0,
    degenerate: bool = False,
) -> pd.DataFrame:
    """Every (neuron, heuristic) with a score of at least ``threshold``, per kind (MATCH_COLUMNS).

    ``neurons`` has the columns layer and neuron, one row per map. Sorted by kind, layer, neuron,
    falling score and heuristic. Heuristics that hold for every prompt, or for more than
    ``max_base_rate`` of them, match nobody unless ``degenerate``.
    """
    parts = [_matches(k, kv, index, kind, threshold) for kind in kinds]
    table = pd.concat(parts, ignore_index=True)
    if not degenerate:
        keep = ~is_degenerate(table["base_rate"].to_numpy(float), max_base_rate)
        table = table[keep]
    rows = table.pop("row").to_numpy(np.int64)
    for column in ("layer", "neuron"):
        table[column] = neurons[column].to_numpy(np.int64)[rows]
    score, base_rate = (table[c].to_numpy(np.float64) for c in ("score", "base_rate"))
    table["corrected_score"] = chance_corrected(score, base_rate)
    table["kind"] = pd.Categorical(table["kind"], KINDS)
    by = ["kind", "layer", "neuron", "score", "heuristic"]
    table = table.sort_values(by, ascending=[True, True, True, False, True], ignore_index=True)
    return table.astype({"kind": str})[MATCH_COLUMNS]


def best_scores(
    k_maps: Maps, kv_maps: Maps, index: HeuristicIndex, kind: Kind, max_base_rate: float = 1.0
) -> Float[np.ndarray, " neuron"]:
    """Score of every neuron on the heuristic that it matches best, of those not degenerate."""
    k, kv = score_neurons(k_maps, kv_maps, index, kinds=(kind,))
    return best_of(k, kv, index, kind, max_base_rate)


def best_of(
    k: MapScores, kv: MapScores, index: HeuristicIndex, kind: Kind, max_base_rate: float = 1.0
) -> Float[np.ndarray, " neuron"]:
    """The largest of every neuron's scores on heuristics that are not degenerate."""
    allowed = ~is_degenerate(index.base_rate, max_base_rate)
    scores = np.where(allowed, kind_scores(k, kv, index, kind).score, 0.0)
    best = scores.max(axis=1, initial=0.0).astype(np.float64)
    several = multi_value_scores(k, kv, kind)
    np.maximum.at(best, several["row"].to_numpy(np.int64), several["score"].to_numpy(np.float64))
    return best


def _matches(
    k: MapScores, kv: MapScores, index: HeuristicIndex, kind: Kind, threshold: float
) -> pd.DataFrame:
    scores = kind_scores(k, kv, index, kind)
    rows, columns = np.nonzero(scores.score >= np.float32(threshold))
    one_number = pd.DataFrame(
        {
            "row": rows,
            "heuristic": np.array(index.names, dtype=object)[columns],
            "score": scores.score[rows, columns].astype(np.float64),
            "base_rate": index.base_rate[columns],
            "side": np.where(scores.bottom[rows, columns], "bottom", "top"),
        }
    )
    several = multi_value_scores(k, kv, kind)
    several = several[several["score"] >= threshold].assign(side="top")
    table = pd.concat([one_number, several], ignore_index=True) if len(several) else one_number
    return described(table.assign(kind=kind))


def scores_of(
    matches: pd.DataFrame, k: MapScores, kv: MapScores, index: HeuristicIndex, kind: Kind
) -> pd.DataFrame:
    """Columns score, base_rate and corrected_score of given (neuron, heuristic) pairs.

    ``matches`` has the columns row (of the scores), heuristic, map and side.
    """
    column = {name: place for place, name in enumerate(index.names)}
    several = multi_value_scores(k, kv, kind).set_index(["row", "heuristic"])
    found = []
    wanted = matches[["row", "heuristic", "map", "side"]]
    for row, heuristic, source, side in wanted.itertuples(index=False, name=None):
        if heuristic in column:
            ends = kv if source == "KV" else k
            scores = ends.bottom if side == "bottom" else ends.top
            place = column[heuristic]
            found.append((float(scores[row, place]), float(index.base_rate[place])))
        else:
            found.append(tuple(several.loc[(row, heuristic), ["score", "base_rate"]]))
    table = pd.DataFrame(found, columns=["score", "base_rate"], dtype=np.float64)
    corrected = chance_corrected(table["score"].to_numpy(), table["base_rate"].to_numpy())
    return table.assign(corrected_score=corrected)


def described(table: pd.DataFrame) -> pd.DataFrame:
    """Add label, type, target and map to a table with the columns kind and heuristic."""
    found = [Heuristic.from_name(name) for name in table["heuristic"]]
    on_kv = [_uses_kv(h, kind) for h, kind in zip(found, table["kind"], strict=True)]
    return table.assign(
        label=np.array([h.label for h in found], dtype=object),
        type=np.array([h.type_name for h in found], dtype=object),
        target=np.array([h.target for h in found], dtype=object),
        map=np.where(np.array(on_kv, dtype=bool), "KV", "K"),
    )


def _uses_kv(heuristic: Heuristic, kind: str) -> bool:
    return kind == "KV" or (kind == "hybrid" and heuristic.target == "result")
