"""Calibration of all neurons of a map artifact, a block at a time."""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline_lib import store
from pipeline_lib.artifacts import maps as map_artifact
from pipeline_lib.heuristics.calibration.chains import (
    LONGEST_CHAIN,
    Calibration,
    surrogate_maps,
)
from pipeline_lib.heuristics.calibration.evidence import Evidence
from pipeline_lib.heuristics.calibration.families import family_p_values
from pipeline_lib.heuristics.calibration.table import (
    LINK_COLUMNS,
    NEURON_COLUMNS,
    chain_rows,
    neuron_table,
)
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.matching import Kind
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.heuristics.table import best_scores
from pipeline_lib.logs import progress
from pipeline_lib.pieces import packed, resumed, unpacked

BLOCK = 32  # neurons held in memory at once
LARGEST_LEVEL = 0.2
"""Largest false discovery rate that can be asked for."""


def calibrate_maps(
    path: str | Path,
    operator: str,
    null_maps: pd.DataFrame,
    settings: HeuristicSettings,
    *,
    max_operand: int,
    max_number: int,
    **options: Any,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`calibrate` the neurons of a map artifact, a block at a time."""
    with store.open_artifact(path, map_artifact.KIND) as artifact:
        neurons = map_artifact.neuron_index(artifact)
        prompts = map_artifact.prompt_index(artifact, operator)
        limits = {"max_operand": max_operand, "max_number": max_number}
        index = HeuristicIndex.build(operator, settings, prompts, **limits)
        blocks = progress(
            range(0, len(neurons) if len(prompts) else 0, BLOCK), "calibrating neurons"
        )
        maps = (map_artifact.read_maps(artifact, operator, slice(n, n + BLOCK)) for n in blocks)
        return calibrate(maps, index, null_maps, **options)


def calibrate(
    blocks: Iterable[map_artifact.Maps],
    index: HeuristicIndex,
    null_maps: pd.DataFrame,
    *,
    nulls: Sequence[str],
    kind: Kind,
    max_base_rate: float,
    min_share: float,
    surrogates: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Neurons (NEURON_COLUMNS) and links of their chains (LINK_COLUMNS), block by block of maps.

    ``nulls`` are the families that count, of which ``null_maps`` has the evidence (NULL_COLUMNS;
    all but "surrogate"). Chains end at the first link with a p-value above `LARGEST_LEVEL`, and at
    once where a family has one. One surrogate of every neuron is measured and scored like a neuron.
    """
    links, tables = [pd.DataFrame(columns=LINK_COLUMNS)], [_no_neurons()]
    options: dict[str, Any] = {"max_base_rate": max_base_rate, "min_share": min_share}

    @cache
    def calibration() -> Calibration:
        return Calibration.of(index, rng, kind=kind, surrogates=surrogates, **options)

    def measured_block(maps: map_artifact.Maps) -> tuple[np.ndarray, ...]:
        table = _measured(maps, calibration(), null_maps, max_base_rate)
        return packed(table), packed(_joined(_chains(maps, table, calibration(), nulls)))

    for _, kept in resumed((maps for maps in blocks if len(maps.neurons)), measured_block):
        table, found_links = map(unpacked, kept)
        tables.append(table)
        links.append(found_links)
    found, measured = _joined(links), _joined(tables)
    return neuron_table(measured, found, nulls, min_share), found


def map_chains(
    path: str | Path,
    operator: str,
    index: HeuristicIndex,
    *,
    kind: Kind,
    max_base_rate: float,
    min_share: float,
) -> pd.DataFrame:
    """Links of the chains of all neurons of a map artifact (LINK_COLUMNS), none of them tested."""
    links = [pd.DataFrame(columns=LINK_COLUMNS)]
    with store.open_artifact(path, map_artifact.KIND) as artifact:
        neurons = map_artifact.neuron_index(artifact)
        if len(neurons) and len(index.prompts):
            calibration = Calibration(Evidence.build(index, max_base_rate), kind, min_share)

            def explained(start: int) -> tuple[np.ndarray]:
                maps = map_artifact.read_maps(artifact, operator, slice(start, start + BLOCK))
                answers = maps.prompts["answer"].to_numpy()
                found = []
                for row, (layer, neuron) in enumerate(maps.neurons.to_numpy(np.int64).tolist()):
                    chain = calibration.chain(maps.k_map[row], maps.value_logits[row][answers])
                    found.append(chain_rows(layer, neuron, chain))
                return (packed(_joined(found)),)

            starts = progress(range(0, len(neurons), BLOCK), "explaining neurons")
            links += [unpacked(kept) for _, (kept,) in resumed(starts, explained)]
    return _joined(links)


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all parts; parts without rows would change the types of columns."""
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _no_neurons() -> pd.DataFrame:
    return pd.DataFrame(columns=[c for c in NEURON_COLUMNS if c not in ("p_surrogate", "p_value")])


def _measured(
    maps: map_artifact.Maps,
    calibration: Calibration,
    null_maps: pd.DataFrame,
    max_base_rate: float,
) -> pd.DataFrame:
    """Evidence of the neurons, of one surrogate of each, and their places in the families."""
    best = calibration.contest.strongest(maps.k_map, maps.kv_map)
    names = ["" if heuristic is None else heuristic.name for heuristic in best.heuristic]
    table = maps.neurons.assign(heuristic=np.array(names, object), evidence=best.evidence)
    surrogates = _one_surrogate_each(maps, calibration, max_base_rate)
    table[["surrogate_evidence", "surrogate_score"]] = surrogates
    return pd.concat([table, family_p_values(table, null_maps)], axis=1)


def _chains(
    maps: map_artifact.Maps, table: pd.DataFrame, calibration: Calibration, nulls: Sequence[str]
) -> list[pd.DataFrame]:
    answers = maps.prompts["answer"].to_numpy()
    known = table[[f"p_{name}" for name in nulls if name != "surrogate"]].max(axis=1).fillna(0.0)
    found = []
    for row, (layer, neuron) in enumerate(table[["layer", "neuron"]].to_numpy(np.int64).tolist()):
        k, value = maps.k_map[row], maps.value_logits[row][answers]
        longest = LONGEST_CHAIN if known.iloc[row] <= LARGEST_LEVEL else 1
        chain = calibration.chain(k, value, LARGEST_LEVEL, longest)
        found.append(chain_rows(layer, neuron, chain))
    return found


def _one_surrogate_each(
    maps: map_artifact.Maps, calibration: Calibration, max_base_rate: float
) -> np.ndarray:
    """Evidence and best score of a surrogate of every neuron, as columns."""
    evidence, surrogates, noise = calibration.evidence, calibration.surrogates, calibration.noise
    assert surrogates is not None
    assert noise is not None
    drawn = [surrogate_maps(evidence, surrogates, k, noise[:1]) for k in maps.k_map]
    k_maps = np.concatenate(drawn)
    kv_maps = k_maps * maps.value_logits[:, maps.prompts["answer"].to_numpy()]
    found = calibration.contest.strongest(k_maps, kv_maps).evidence
    scores = best_scores(k_maps, kv_maps, evidence.index, calibration.kind, max_base_rate)
    return np.stack([found, scores], axis=1)
