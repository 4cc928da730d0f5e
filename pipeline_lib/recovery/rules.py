"""Rules that say which neuron belongs to which heuristic, by name.

A rule takes one operator's neurons with their maps and a generator, and returns a match table
(`heuristics.MATCH_COLUMNS`, of one kind). Another rule is one more such function in
`matching_rules`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64

from pipeline_lib.artifacts.calibration import calibrate
from pipeline_lib.artifacts.maps import Maps
from pipeline_lib.artifacts.nulls import null_tables
from pipeline_lib.heuristics.calibration.table import classify, fdr_matches
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.matching import Kind, score_neurons
from pipeline_lib.heuristics.settings import AUTHORS, HeuristicSettings
from pipeline_lib.heuristics.table import match_table
from pipeline_lib.models.planted.settings import MAX_NUMBER, MAX_OPERAND
from pipeline_lib.recovery.subject import Subject


@dataclass(frozen=True)
class Case:
    """What a rule may look at: one operator's planted neurons and decoys, their maps, the model."""

    subject: Subject
    operator: str
    neurons: pd.DataFrame
    maps: Maps
    importance: Float64[np.ndarray, "layer neuron"]


Rule = Callable[[Case, np.random.Generator], pd.DataFrame]


def matching_rules(
    types: HeuristicSettings,
    *,
    kind: Kind,
    threshold: float,
    max_base_rate: float,
    fdr: float,
    min_share: float,
    calibration: Mapping[str, Any],
    multi_value_prompts: int,
) -> dict[str, Rule]:
    """The rules that are compared.

    threshold: the study's ``types``. authors: what their released code looks for and counts. Both
    keep the pairs with a score of at least ``threshold``. fdr: the study's ``types`` again, tested
    against nulls (``calibration``: nulls, surrogates, per_layer) at the false discovery rate.
    """
    own, others = (
        replace(chosen, multi_value_prompts=multi_value_prompts)
        for chosen in (types, HeuristicSettings.from_values(AUTHORS))
    )
    limits: dict[str, Any] = {"kind": kind, "threshold": threshold, "max_base_rate": max_base_rate}
    tested: dict[str, Any] = {"kind": kind, "max_base_rate": max_base_rate, **calibration}
    return {
        "authors": by_threshold(others, **limits),
        "threshold": by_threshold(own, **limits),
        "fdr": by_false_discovery_rate(own, fdr=fdr, min_share=min_share, **tested),
    }


def by_threshold(
    types: HeuristicSettings, *, kind: Kind, threshold: float, max_base_rate: float
) -> Rule:
    """Rule that keeps all pairs with a score of at least ``threshold`` (definitions 7)."""

    def rule(case: Case, rng: np.random.Generator) -> pd.DataFrame:
        maps, index = case.maps, planted_index(case, types)
        k, kv = score_neurons(maps.k_map, maps.kv_map, index, maps.neurons, kinds=(kind,))
        limits: dict[str, Any] = {"threshold": threshold, "max_base_rate": max_base_rate}
        return match_table(k, kv, index, maps.neurons, kinds=(kind,), **limits)

    return rule


def by_false_discovery_rate(
    types: HeuristicSettings,
    *,
    kind: Kind,
    max_base_rate: float,
    fdr: float,
    min_share: float,
    nulls: Sequence[str],
    surrogates: int,
    per_layer: int,
) -> Rule:
    """Rule that tests every neuron against surrogates and nulls (definitions 17)."""

    def rule(case: Case, rng: np.random.Generator) -> pd.DataFrame:
        maps, index = case.maps, planted_index(case, types)
        shared: dict[str, Any] = {"kind": kind, "max_base_rate": max_base_rate, "rng": rng}
        null_maps = null_tables(
            case.subject.model,
            case.subject.numbers.encode(maps.prompts),
            maps.neurons,
            case.importance,
            index,
            case.subject.numbers.number_ids,
            per_layer=per_layer,
            scored=0,
            **shared,
        )
        drawn: dict[str, Any] = {"min_share": min_share, "surrogates": surrogates}
        neurons, links = calibrate([maps], index, null_maps, nulls=nulls, **drawn, **shared)
        k, kv = score_neurons(maps.k_map, maps.kv_map, index, maps.neurons, kinds=(kind,))
        limits: dict[str, Any] = {"kind": kind, "fdr": fdr}
        verdicts = classify(neurons, k, kv, index, **limits, max_base_rate=max_base_rate)
        return fdr_matches(verdicts, links, k, kv, index, **limits, min_share=min_share)

    return rule


def planted_index(case: Case, types: HeuristicSettings) -> HeuristicIndex:
    """The heuristics that a rule looks for in the planted networks."""
    limits = {"max_operand": MAX_OPERAND, "max_number": MAX_NUMBER}
    return HeuristicIndex.build(case.operator, types, case.maps.prompts, **limits)
