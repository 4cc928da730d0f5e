"""Score artifacts: every neuron's score on every heuristic, from both maps and both ends.

K_top, K_bottom, KV_top, KV_bottom [neuron, heuristic], float32 shares of the k tested prompts;
layer, neuron [neuron]; a, b, answer [prompt]; multi-value heuristics found in single neurons as
parallel lists K_found_row, K_found_score, ... with their names in the coordinates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline_lib import store
from pipeline_lib.artifacts import maps as map_artifact
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.matching import MULTI_VALUE_COLUMNS, MapScores, score_neurons
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.logs import progress

KIND = "scores"
BLOCK = 64  # neurons held in memory at once


@dataclass(frozen=True)
class Scores:
    """All that matching needs: scores of both maps, the neurons, the prompts behind them."""

    k: MapScores
    kv: MapScores
    neurons: pd.DataFrame
    prompts: pd.DataFrame


def score_map_artifact(
    path: str | Path,
    operator: str,
    settings: HeuristicSettings,
    *,
    max_operand: int,
    max_number: int,
) -> tuple[Scores, HeuristicIndex]:
    """Score all maps of an artifact, a block of neurons at a time."""
    with store.open_artifact(path, map_artifact.KIND) as artifact:
        neurons = map_artifact.neuron_index(artifact)
        prompts = map_artifact.prompt_index(artifact, operator)
        index = HeuristicIndex.build(
            operator, settings, prompts, max_operand=max_operand, max_number=max_number
        )
        k_parts, kv_parts = [], []
        for start in progress(range(0, max(len(neurons), 1), BLOCK), "scoring neurons"):
            maps = map_artifact.read_maps(artifact, operator, slice(start, start + BLOCK))
            k, kv = score_neurons(maps.k_map, maps.kv_map, index, maps.neurons)
            k_parts.append(k)
            kv_parts.append(kv)
    return Scores(_join(k_parts), _join(kv_parts), neurons, prompts), index


def _join(parts: list[MapScores]) -> MapScores:
    shifted = [
        part.multi_value.assign(row=part.multi_value["row"] + number * BLOCK)
        for number, part in enumerate(parts)
    ]
    return MapScores(
        np.concatenate([part.top for part in parts]),
        np.concatenate([part.bottom for part in parts]),
        pd.concat(shifted, ignore_index=True),
    )


def write_scores(
    path: str | Path, scores: Scores, index: HeuristicIndex, provenance: Mapping[str, Any]
) -> None:
    """Store the scores of all neurons."""
    coords: dict[str, Any] = {"heuristic": index.names}
    arrays = {
        name: store.Array(scores.neurons[name].to_numpy(), ("neuron",))
        for name in ("layer", "neuron")
    }
    for name in ("a", "b", "answer"):
        arrays[name] = store.Array(scores.prompts[name].to_numpy(), ("prompt",))
    for name, part in (("K", scores.k), ("KV", scores.kv)):
        arrays[f"{name}_top"] = store.Array(part.top, ("neuron", "heuristic"))
        arrays[f"{name}_bottom"] = store.Array(part.bottom, ("neuron", "heuristic"))
        coords[f"{name}_found"] = part.multi_value["heuristic"].to_numpy(dtype=object)
        for column, dtype in (("row", np.int64), ("score", np.float64), ("base_rate", np.float64)):
            values = part.multi_value[column].to_numpy(dtype=dtype)
            arrays[f"{name}_found_{column}"] = store.Array(values, (f"{name}_found",))
    store.write_artifact(path, KIND, arrays, coords=coords, provenance=provenance)


def read_scores(path: str | Path, operator: str) -> Scores:
    """The scores of a score artifact."""
    with store.open_artifact(path, KIND) as artifact:
        parts = {}
        for name in ("K", "KV"):
            found = {
                column: artifact.read(f"{name}_found_{column}")
                for column in ("row", "score", "base_rate")
            }
            found["heuristic"] = artifact.coords(f"{name}_found")
            parts[name] = MapScores(
                artifact.read(f"{name}_top"),
                artifact.read(f"{name}_bottom"),
                pd.DataFrame(found)[MULTI_VALUE_COLUMNS],
            )
        neurons = map_artifact.neuron_index(artifact)
        prompts = map_artifact.prompt_index(artifact, operator)
    return Scores(parts["K"], parts["KV"], neurons, prompts)
