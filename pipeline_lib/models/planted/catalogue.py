"""The heuristics that are planted: every type on every target it has, for all four operators.

Those on results come in sets that name every result: tens and units for addition, residues modulo
5 and 8 for subtraction, modulo 4, 5 and 9 for multiplication. Quotients are too rare one by one to
be found by their mean effect; a path below the heuristics breaks their ties (`lookups`).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from jaxtyping import Bool

from pipeline_lib.heuristics.types import Heuristic
from pipeline_lib.models.planted.settings import MAX_NUMBER, MAX_OPERAND
from pipeline_lib.stimuli.arithmetic import OPERATORS, make_prompts

RESULTS: dict[str, tuple[str, ...]] = {
    "add": (
        *(f"result_range_{start}_{start + 10}" for start in range(0, 80, 10)),
        *(f"result_pattern_xx{digit}" for digit in range(10)),
        "result_mod_3_1",
        "result_value_39",
    ),
    "sub": (
        *(f"result_mod_5_{m}" for m in range(5)),
        *(f"result_mod_8_{m}" for m in range(8)),
        "result_range_10_20",
        "result_pattern_xx4",
        "result_value_6",
    ),
    "mul": (
        *(f"result_mod_{n}_{m}" for n in (4, 5, 9) for m in range(n)),
        "result_range_20_30",
        "result_range_100_130",
        "result_pattern_x2x",
        "result_value_36",
    ),
    "div": ("result_value_0", "result_value_1", "result_range_10_20", "result_values_2_4"),
}
OPERANDS: dict[str, tuple[str, ...]] = {
    "add": (
        "op1_range_10_20", "op2_range_20_30", "both_range_10_40",
        "op1_mod_4_1", "op2_mod_3_2", "both_mod_2_0",
        "op1_pattern_xx7", "op2_pattern_xx3", "op1_value_17", "op2_value_28", "pair_same",
    ),
    "sub": (
        "op1_range_20_30", "op2_range_0_10", "both_range_10_20",
        "op1_mod_3_0", "op2_mod_6_5", "both_mod_2_1",
        "op1_pattern_xx2", "op2_pattern_xx8", "op1_value_15", "op2_value_15", "pair_same",
    ),
    "mul": (
        "op1_range_10_20", "op2_range_20_30", "both_range_0_10",
        "op1_mod_3_0", "op2_mod_2_0", "both_mod_3_0",
        "op1_pattern_xx5", "op2_pattern_xx7", "op1_value_2", "op2_value_5", "pair_same",
    ),
    "div": (
        "op1_range_20_30", "op2_range_0_10", "both_range_10_20",
        "op1_mod_2_0", "op2_mod_4_3", "both_mod_3_0",
        "op1_pattern_xx9", "op2_pattern_xx5", "op1_value_38", "op2_value_7", "pair_same",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Feature:
    """One planted heuristic of one operator."""

    operator: str
    heuristic: Heuristic


@cache
def features() -> tuple[Feature, ...]:
    """All planted heuristics, operator by operator."""
    return tuple(
        Feature(operator, Heuristic.from_name(name))
        for operator in OPERATORS
        for name in (*RESULTS[operator], *OPERANDS[operator])
    )


@cache
def plane(operator: str) -> pd.DataFrame:
    """Prompts of all pairs of operands, valid or not, ordered by (a, b)."""
    operands = np.arange(MAX_OPERAND)
    a, b = (grid.ravel() for grid in np.meshgrid(operands, operands, indexing="ij"))
    return make_prompts(operator, a, b)


@cache
def valid(operator: str) -> Bool[np.ndarray, "a b"]:
    """Pairs of operands that make a valid prompt."""
    prompts = plane(operator)
    a, b = prompts["a"].to_numpy(), prompts["b"].to_numpy()
    low = 1 if operator == "div" else 0
    kept = OPERATORS[operator].is_valid(a, b, MAX_NUMBER) & (a >= low) & (b >= low)
    return np.asarray(kept).reshape(MAX_OPERAND, MAX_OPERAND)


@cache
def members(feature: Feature) -> Bool[np.ndarray, "a b"]:
    """Pairs of operands, valid or not, of which the heuristic is true."""
    return feature.heuristic.members(plane(feature.operator)).reshape(MAX_OPERAND, MAX_OPERAND)
