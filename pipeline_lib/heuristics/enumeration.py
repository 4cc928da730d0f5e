"""Which heuristics an operator's prompts allow, and how many prompts each is tested on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import isqrt

import numpy as np
import pandas as pd
from jaxtyping import Int

from pipeline_lib.heuristics.settings import (
    DIGIT,
    WILDCARD,
    HeuristicSettings,
    SizeRule,
    range_rule,
)
from pipeline_lib.heuristics.types import (
    OPERANDS,
    TARGET_COLUMNS,
    DigitPattern,
    ExactValue,
    Heuristic,
    Modulo,
    Range,
    SameOperands,
)

MINED_SHAPES = (".dd", "d.d", ".d.", "..d")
CAPPED_RESULTS = ("mul", "div")


def enumerate_heuristics(
    operator: str, settings: HeuristicSettings, prompts: pd.DataFrame
) -> list[Heuristic]:
    """Every heuristic of the settings that holds for at least one prompt (columns a, b, answer).

    The order is fixed: ranges, moduli, patterns, exact values, same operands. Multi-value ones
    depend on the neuron and are found by ``mining``. No prompts give no heuristics.
    """
    if prompts.empty:
        return []
    found = [*_ranges(operator, settings, prompts)]
    found += _moduli(operator, settings)
    found += _patterns(operator, settings)
    found += _exact_values(settings, prompts)
    found += [SameOperands()] if settings.same_operands else []
    values = {target: _values(prompts, target) for target in TARGET_COLUMNS}
    possible = [h for h in found if h.target == "pair" or h.accepts(values[h.target]).any()]
    one_number = ("op1", "op2", "result")
    return [h for h in possible if h.target in one_number or h.members(prompts).any()]


def pattern_targets(operator: str) -> tuple[str, ...]:
    """Targets whose digits are looked at: both operands, and the result except in division."""
    return ("op1", "op2") if operator == "div" else ("op1", "op2", "result")


@dataclass(frozen=True)
class SizeFormula:
    """The authors' approximations of the number of prompts of a heuristic (definitions 7).

    ``max_operand`` bounds the operands (exclusive), ``share`` is valid prompts / max_operand².
    """

    operator: str
    max_operand: int
    max_number: int
    share: float

    def size(self, heuristic: Heuristic, exact: int) -> int:
        """Number of prompts k the heuristic is tested on; ``exact`` is what it really holds for."""
        if isinstance(heuristic, Modulo):
            size = self._modulo(heuristic)
        elif isinstance(heuristic, DigitPattern | ExactValue):
            size = self.top_prompts()
        elif isinstance(heuristic, SameOperands):
            size = isqrt(self.max_number) if self.operator == "mul" else self.max_operand
        else:
            size = exact
        capped = heuristic.target == "result" and self.operator in CAPPED_RESULTS
        return min(size, self.max_operand) if capped else size

    def top_prompts(self) -> int:
        """Number of top prompts in which patterns and exact values are looked for."""
        return int(self.max_operand * self.share)

    def _modulo(self, heuristic: Modulo) -> int:
        classes = self.max_operand // heuristic.n
        other = self.max_operand if heuristic.target in ("op1", "op2") else classes
        return int(classes * other * self.share)


def tested_sizes(
    heuristics: Sequence[Heuristic],
    exact: Int[np.ndarray, "heuristic"],
    rule: SizeRule,
    formula: SizeFormula,
) -> Int[np.ndarray, "heuristic"]:
    """Number of prompts k of every heuristic: exact, or by the authors' formula."""
    if rule == "exact":
        return exact
    pairs = zip(heuristics, exact.tolist(), strict=True)
    return np.array([formula.size(h, size) for h, size in pairs], dtype=np.int64)


def _values(prompts: pd.DataFrame, target: str) -> Int[np.ndarray, "value"]:
    columns = [prompts[column].to_numpy(np.int64) for column in TARGET_COLUMNS[target]]
    return np.unique(np.concatenate(columns))


def _ranges(
    operator: str, settings: HeuristicSettings, prompts: pd.DataFrame
) -> Iterator[Heuristic]:
    rules = {target: range_rule(settings.operand_ranges, operator) for target in OPERANDS}
    rules["result"] = range_rule(settings.result_ranges, operator)
    for target, rule in rules.items():
        last = int(_values(prompts, target)[-1])
        for length in rule.lengths:
            for start in rule.starts(length, last):
                yield Range(target, start, start + length)


def _moduli(operator: str, settings: HeuristicSettings) -> Iterator[Heuristic]:
    targets = OPERANDS if operator == "div" else (*OPERANDS, "result")
    for target in targets:
        for n in settings.moduli:
            yield from (Modulo(target, n, remainder) for remainder in range(n))


def _patterns(operator: str, settings: HeuristicSettings) -> Iterator[Heuristic]:
    """All patterns of the shapes; under "top_prompts" the shapes the authors' code can mine."""
    shapes = settings.patterns if settings.pattern_source == "all" else MINED_SHAPES
    for target in pattern_targets(operator):
        for shape in shapes:
            for digits in product("0123456789", repeat=shape.count(DIGIT)):
                yield DigitPattern(target, _filled(shape, digits))


def _filled(shape: str, digits: tuple[str, ...]) -> str:
    rest = iter(digits)
    return "".join(WILDCARD if place == WILDCARD else next(rest) for place in shape)


def _exact_values(settings: HeuristicSettings, prompts: pd.DataFrame) -> Iterator[Heuristic]:
    if settings.exact_values:
        for target in ("op1", "op2", "result"):
            yield from (ExactValue(target, value) for value in _values(prompts, target).tolist())
