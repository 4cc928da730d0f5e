"""Rules that say which neuron belongs to which heuristic, by name.

A rule takes an operator, the maps of some neurons over its valid prompts and a generator, and
returns a match table (`heuristics.MATCH_COLUMNS`, of one kind). Another rule is one more such
function in `matching_rules`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from pipeline_lib.artifacts.maps import Maps
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.matching import Kind, score_neurons
from pipeline_lib.heuristics.settings import AUTHORS, HeuristicSettings
from pipeline_lib.heuristics.table import match_table
from pipeline_lib.models.planted.settings import MAX_NUMBER, MAX_OPERAND

Rule = Callable[[str, Maps, np.random.Generator], pd.DataFrame]


def matching_rules(
    types: HeuristicSettings,
    *,
    kind: Kind,
    threshold: float,
    max_base_rate: float,
    multi_value_prompts: int,
) -> dict[str, Rule]:
    """The rules that are compared.

    threshold: the study's ``types``. authors: what their released code looks for and counts. Both
    keep the pairs with a score of at least ``threshold``.
    """
    settings = {"authors": HeuristicSettings.from_values(AUTHORS), "threshold": types}
    limits: dict[str, Any] = {"kind": kind, "threshold": threshold, "max_base_rate": max_base_rate}
    return {
        name: by_threshold(replace(chosen, multi_value_prompts=multi_value_prompts), **limits)
        for name, chosen in settings.items()
    }


def by_threshold(
    types: HeuristicSettings, *, kind: Kind, threshold: float, max_base_rate: float
) -> Rule:
    """Rule that keeps all pairs with a score of at least ``threshold`` (definitions 7)."""

    def rule(operator: str, maps: Maps, rng: np.random.Generator) -> pd.DataFrame:
        index = planted_index(operator, maps.prompts, types)
        k, kv = score_neurons(maps.k_map, maps.kv_map, index, maps.neurons, kinds=(kind,))
        limits: dict[str, Any] = {"threshold": threshold, "max_base_rate": max_base_rate}
        return match_table(k, kv, index, maps.neurons, kinds=(kind,), **limits)

    return rule


def planted_index(operator: str, prompts: pd.DataFrame, types: HeuristicSettings) -> HeuristicIndex:
    """The heuristics that a rule looks for in the planted networks."""
    return HeuristicIndex.build(
        operator, types, prompts, max_operand=MAX_OPERAND, max_number=MAX_NUMBER
    )
