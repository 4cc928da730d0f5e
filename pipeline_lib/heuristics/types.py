"""Heuristic types (definitions 7): one frozen dataclass each.

A prompt is a member of a heuristic when the heuristic is true of its operands or its answer. One
definition decides which prompts a neuron is scored on and which ones a knockout calls associated.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from pipeline_lib.errors import ConfigError

OPERANDS = ("op1", "op2", "both")
TARGETS = (*OPERANDS, "result", "pair")
TARGET_LABELS = {
    "op1": "operand 1",
    "op2": "operand 2",
    "both": "both operands",
    "result": "result",
}
TARGET_COLUMNS = {"op1": ("a",), "op2": ("b",), "both": ("a", "b"), "result": ("answer",)}

Values = Int[np.ndarray, "value"]
Accepted = Bool[np.ndarray, "value"]


@dataclass(frozen=True)
class Heuristic:
    """What a neuron may respond to: a condition on an operand, both, the result or the pair."""

    target: str

    type_name: ClassVar[str]
    type_title: ClassVar[str]
    targets: ClassVar[tuple[str, ...]]
    name_pattern: ClassVar[str]

    def __post_init__(self) -> None:
        if self.target not in self.targets:
            raise ConfigError(
                f"A {self.type_name} heuristic cannot apply to this target.",
                value=self.target,
                hint=f"one of {', '.join(self.targets)}",
            )

    @property
    def name(self) -> str:
        """Machine name, stable across versions; ``Heuristic.from_name`` reads it back."""
        raise NotImplementedError

    @property
    def label(self) -> str:
        """Name for figures and tables."""
        raise NotImplementedError

    def accepts(self, values: Values) -> Accepted:
        """Whether the condition holds for each integer; `both` asks it of either operand."""
        raise NotImplementedError

    def members(self, prompts: pd.DataFrame) -> Bool[np.ndarray, "prompt"]:
        """Prompts (columns a, b, answer) of which the heuristic is true.

        The answer of a division is the integer a // b.
        """
        columns = [prompts[c].to_numpy(np.int64) for c in TARGET_COLUMNS[self.target]]
        return np.logical_and.reduce([self.accepts(values) for values in columns])

    @classmethod
    def parse(cls, target: str, *parts: str) -> "Heuristic":
        """Heuristic from the groups of ``name_pattern``."""
        return cls(target, *(int(part) for part in parts))

    @staticmethod
    def from_name(name: str) -> "Heuristic":
        """Heuristic with this machine name.

        Raises ConfigError for a name no heuristic type writes.
        """
        for kind in HEURISTIC_TYPES:
            found = re.fullmatch(kind.name_pattern, name)
            if found:
                return kind.parse(*found.groups())
        raise ConfigError(
            "No heuristic has this name.",
            value=name,
            hint="names look like op1_range_0_10, result_mod_7_3, op2_pattern_x2x, pair_same",
        )


@dataclass(frozen=True)
class Range(Heuristic):
    """Integers in the half-open interval [start, stop)."""

    start: int
    stop: int

    type_name = "range"
    type_title = "range"
    targets = (*OPERANDS, "result")
    name_pattern = r"(op1|op2|both|result)_range_(\d+)_(\d+)"

    @property
    def name(self) -> str:
        """Machine name."""
        return f"{self.target}_range_{self.start}_{self.stop}"

    @property
    def label(self) -> str:
        """Name for figures."""
        return f"{TARGET_LABELS[self.target]} in [{self.start}, {self.stop})"

    def accepts(self, values: Values) -> Accepted:
        """Whether the condition holds for each integer."""
        return (values >= self.start) & (values < self.stop)


@dataclass(frozen=True)
class Modulo(Heuristic):
    """Integers congruent to ``remainder`` modulo ``n``."""

    n: int
    remainder: int

    type_name = "modulo"
    type_title = "modulo"
    targets = (*OPERANDS, "result")
    name_pattern = r"(op1|op2|both|result)_mod_(\d+)_(\d+)"

    @property
    def name(self) -> str:
        """Machine name."""
        return f"{self.target}_mod_{self.n}_{self.remainder}"

    @property
    def label(self) -> str:
        """Name for figures."""
        return f"{TARGET_LABELS[self.target]} ≡ {self.remainder} (mod {self.n})"

    def accepts(self, values: Values) -> Accepted:
        """Whether the condition holds for each integer."""
        return values % self.n == self.remainder


@dataclass(frozen=True)
class DigitPattern(Heuristic):
    """Integers below 1000 whose three zero-padded digits match, "." standing for any digit."""

    pattern: str

    type_name = "pattern"
    type_title = "digit pattern"
    targets = ("op1", "op2", "result")
    name_pattern = r"(op1|op2|result)_pattern_([\dx]{3})"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch(r"[\d.]{3}", self.pattern):
            raise ConfigError("A digit pattern has three places.", value=self.pattern, hint="'.2.'")

    @property
    def name(self) -> str:
        """Machine name."""
        return f"{self.target}_pattern_{self.pattern.replace('.', 'x')}"

    @property
    def label(self) -> str:
        """Name for figures."""
        return f"{TARGET_LABELS[self.target]} has digits {self.pattern}"

    def accepts(self, values: Values) -> Accepted:
        """Whether the condition holds for each integer."""
        found = (values >= 0) & (values < 1000)
        for place, digit in zip((100, 10, 1), self.pattern, strict=True):
            if digit != ".":
                found &= values // place % 10 == int(digit)
        return found

    @classmethod
    def parse(cls, target: str, *parts: str) -> "Heuristic":
        """Heuristic from the groups of ``name_pattern``."""
        return cls(target, parts[0].replace("x", "."))


@dataclass(frozen=True)
class ExactValue(Heuristic):
    """One integer."""

    value: int

    type_name = "value"
    type_title = "exact value"
    targets = ("op1", "op2", "result")
    name_pattern = r"(op1|op2|result)_value_(\d+)"

    @property
    def name(self) -> str:
        """Machine name."""
        return f"{self.target}_value_{self.value}"

    @property
    def label(self) -> str:
        """Name for figures."""
        return f"{TARGET_LABELS[self.target]} = {self.value}"

    def accepts(self, values: Values) -> Accepted:
        """Whether the condition holds for each integer."""
        return values == self.value


@dataclass(frozen=True)
class SameOperands(Heuristic):
    """Both operands are the same number."""

    target: str = "pair"

    type_name = "same_operands"
    type_title = "same operands"
    targets = ("pair",)
    name_pattern = r"(pair)_same"
    name = "pair_same"
    label = "operand 1 = operand 2"

    def members(self, prompts: pd.DataFrame) -> Bool[np.ndarray, "prompt"]:
        """Prompts whose operands are equal."""
        return prompts["a"].to_numpy(np.int64) == prompts["b"].to_numpy(np.int64)


@dataclass(frozen=True)
class MultiValue(Heuristic):
    """A few distinct integers (ascending), found per neuron (see ``mining``)."""

    values: tuple[int, ...]

    type_name = "multi_value"
    type_title = "multi-value"
    targets = ("result",)
    name_pattern = r"(result)_values_(\d+(?:_\d+)+)"

    @property
    def name(self) -> str:
        """Machine name."""
        return f"{self.target}_values_{'_'.join(map(str, self.values))}"

    @property
    def label(self) -> str:
        """Name for figures."""
        return f"{TARGET_LABELS[self.target]} in {{{', '.join(map(str, self.values))}}}"

    def accepts(self, values: Values) -> Accepted:
        """Whether the condition holds for each integer."""
        return np.isin(values, self.values)

    @classmethod
    def parse(cls, target: str, *parts: str) -> "Heuristic":
        """Heuristic from the groups of ``name_pattern``."""
        return cls(target, tuple(int(value) for value in parts[0].split("_")))


HEURISTIC_TYPES: tuple[type[Heuristic], ...] = (
    Range,
    Modulo,
    DigitPattern,
    ExactValue,
    SameOperands,
    MultiValue,
)
TYPE_TITLES = {kind.type_name: kind.type_title for kind in HEURISTIC_TYPES}
"""Name of every type for figures, in the order in which they are shown."""


def association_matrix(
    heuristics: Iterable[Heuristic], prompts: pd.DataFrame
) -> Bool[np.ndarray, "heuristic prompt"]:
    """Which prompts (columns a, b, answer) each heuristic is true of."""
    rows = [heuristic.members(prompts) for heuristic in heuristics]
    return np.array(rows, dtype=bool).reshape(len(rows), len(prompts))


def membership(matches: pd.DataFrame, prompts: pd.DataFrame) -> Bool[np.ndarray, "match prompt"]:
    """Which prompts satisfy the heuristic of every row of a match table."""
    names, row = np.unique(matches["heuristic"].astype(str), return_inverse=True)
    matrix = association_matrix([Heuristic.from_name(str(name)) for name in names], prompts)
    return matrix[row]
