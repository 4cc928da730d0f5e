"""Matches of all checkpoints at once, from their scores and chains, without a model."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline_lib.artifacts.scores import Scores, read_scores
from pipeline_lib.heuristics.calibration.table import cut_matches, evidence_cut
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.matching import Kind
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.heuristics.table import match_table

Paths = Mapping[tuple[str, str], str | Path]
Match = Callable[[tuple[str, str], Scores, HeuristicIndex], pd.DataFrame]


def match_checkpoints(
    scores: Paths,
    settings: HeuristicSettings,
    *,
    kind: Kind,
    threshold: float,
    max_base_rate: float,
    max_operand: int,
    max_number: int,
) -> pd.DataFrame:
    """Match tables (`match_table`) of one kind, one after the other, below checkpoint and operator.

    ``scores`` are score artifacts by (checkpoint, operator); all checkpoints have the same prompts.
    """
    options: dict[str, Any] = {"threshold": threshold, "max_base_rate": max_base_rate}

    def match(_: tuple[str, str], found: Scores, index: HeuristicIndex) -> pd.DataFrame:
        return match_table(found.k, found.kv, index, found.neurons, kinds=(kind,), **options)

    return _of_each(scores, settings, match, max_operand=max_operand, max_number=max_number)


def classify_checkpoints(
    scores: Paths,
    links: Mapping[tuple[str, str], pd.DataFrame],
    final: Mapping[str, pd.DataFrame],
    settings: HeuristicSettings,
    *,
    kind: Kind,
    min_share: float,
    max_operand: int,
    max_number: int,
) -> pd.DataFrame:
    """Matches under the rule fdr (`cut_matches`), below checkpoint and operator.

    ``links`` are the chains by (checkpoint, operator), ``final`` the neurons of the model itself
    with their verdicts (`classify`), by operator; their `evidence_cut` is the cut for all.
    """
    cuts = {operator: evidence_cut(neurons) for operator, neurons in final.items()}

    def match(key: tuple[str, str], found: Scores, index: HeuristicIndex) -> pd.DataFrame:
        options: dict[str, Any] = {"kind": kind, "cut": cuts[key[1]], "min_share": min_share}
        return cut_matches(found.neurons, links[key], found.k, found.kv, index, **options)

    return _of_each(scores, settings, match, max_operand=max_operand, max_number=max_number)


def _of_each(
    scores: Paths, settings: HeuristicSettings, match: Match, **limits: int
) -> pd.DataFrame:
    indices: dict[str, HeuristicIndex] = {}
    parts = []
    for (checkpoint, operator), path in scores.items():
        found = read_scores(path, operator)
        if operator not in indices:
            indices[operator] = HeuristicIndex.build(operator, settings, found.prompts, **limits)
        table = match((checkpoint, operator), found, indices[operator])
        table.insert(0, "checkpoint", checkpoint)
        table.insert(1, "operator", operator)
        parts.append(table)
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
