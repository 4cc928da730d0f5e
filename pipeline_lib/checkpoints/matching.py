"""Matches of all checkpoints at once, from their scores, without a model."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline_lib.artifacts.scores import read_scores
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.matching import Kind
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.heuristics.table import match_table


def match_checkpoints(
    scores: Mapping[tuple[str, str], str | Path],
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
    indices: dict[str, HeuristicIndex] = {}
    parts = []
    for (checkpoint, operator), path in scores.items():
        found = read_scores(path, operator)
        if operator not in indices:
            limits = {"max_operand": max_operand, "max_number": max_number}
            indices[operator] = HeuristicIndex.build(operator, settings, found.prompts, **limits)
        table = match_table(
            found.k,
            found.kv,
            indices[operator],
            found.neurons,
            threshold=threshold,
            kinds=(kind,),
            max_base_rate=max_base_rate,
        )
        table.insert(0, "checkpoint", checkpoint)
        table.insert(1, "operator", operator)
        parts.append(table)
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
