"""Heuristics: what they are, which neurons implement them, which prompts they are true of."""

from pipeline_lib.heuristics.enumeration import enumerate_heuristics
from pipeline_lib.heuristics.index import HeuristicIndex
from pipeline_lib.heuristics.matching import (
    KINDS,
    KindScores,
    MapScores,
    kind_scores,
    multi_value_scores,
    score_maps,
    score_neurons,
)
from pipeline_lib.heuristics.settings import AUTHORS, PAPER, HeuristicSettings, RangeRule
from pipeline_lib.heuristics.table import MATCH_COLUMNS, chance_corrected, match_table
from pipeline_lib.heuristics.types import (
    DigitPattern,
    ExactValue,
    Heuristic,
    Modulo,
    MultiValue,
    Range,
    SameOperands,
    association_matrix,
)

__all__ = [
    "AUTHORS",
    "KINDS",
    "MATCH_COLUMNS",
    "PAPER",
    "DigitPattern",
    "ExactValue",
    "Heuristic",
    "HeuristicIndex",
    "HeuristicSettings",
    "KindScores",
    "MapScores",
    "Modulo",
    "MultiValue",
    "Range",
    "RangeRule",
    "SameOperands",
    "association_matrix",
    "chance_corrected",
    "enumerate_heuristics",
    "kind_scores",
    "match_table",
    "multi_value_scores",
    "score_maps",
    "score_neurons",
]
