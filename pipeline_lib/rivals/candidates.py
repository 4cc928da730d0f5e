"""What may explain a neuron's map: heuristics, Fourier modes, and the trend that is neither."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from pipeline_lib.heuristics.types import TARGET_COLUMNS, Heuristic
from pipeline_lib.rivals.columns import Columns, OfNumber, Part, Written
from pipeline_lib.rivals.waves import frequencies, waves

NUMBERS = ("op1", "op2", "sum", "difference", "result")
NUMBER_LABELS = {
    "op1": "operand 1",
    "op2": "operand 2",
    "sum": "a + b",
    "difference": "a − b",
    "result": "result",
}
SAME_RESULT = {"add": "sum", "sub": "difference"}
"""Operators whose result is one of the other numbers."""

Sample = Int[np.ndarray, " sampled"]


@dataclass(frozen=True)
class FourierMode:
    """A cosine and a sine of one number of a prompt, of one period (in units of that number)."""

    target: str
    period: float

    @property
    def name(self) -> str:
        """Machine name."""
        return f"{self.target}_period_{self.period:.6g}"

    @property
    def label(self) -> str:
        """Name for figures and tables."""
        return f"{NUMBER_LABELS[self.target]}, period {self.period:.3g}"


@dataclass(frozen=True)
class Candidates:
    """Things of ``width`` columns each that compete for a map; ``columns`` lists them in order."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    width: int
    columns: Columns

    def __len__(self) -> int:
        return len(self.names)

    def columns_of(self, chosen: Sequence[int]) -> list[int]:
        """Numbers of the columns of some candidates."""
        return [self.width * place + i for place in chosen for i in range(self.width)]


def number_of(prompts: pd.DataFrame, target: str) -> Int[np.ndarray, " prompt"]:
    """One number of each prompt (columns a, b, answer)."""
    a, b, result = (prompts[name].to_numpy(np.int64) for name in ("a", "b", "answer"))
    return {"op1": a, "op2": b, "sum": a + b, "difference": a - b, "result": result}[target]


def mode_targets(operator: str) -> tuple[str, ...]:
    """Numbers whose modes are tried: the operands, their sum and difference, the result."""
    return NUMBERS[:-1] if operator in SAME_RESULT else NUMBERS


def fourier_candidates(
    operator: str, prompts: pd.DataFrame, periods: Sequence[int], sample: Sample
) -> tuple[tuple[FourierMode, ...], Candidates]:
    """All modes of an operator, and their columns over some of its prompts (at least one).

    The frequencies of a number are those of the integers it spans over all ``prompts``.
    """
    modes: list[FourierMode] = []
    parts: list[Part] = []
    for target in mode_targets(operator):
        number = number_of(prompts, target)
        values = np.arange(number.min(), number.max() + 1)
        found = frequencies(len(values), periods)
        modes += [FourierMode(target, 1 / f) for f in found.tolist()]
        parts.append(OfNumber(number[sample] - values[0], waves(values, found)))
    names, labels = [mode.name for mode in modes], [mode.label for mode in modes]
    return tuple(modes), Candidates(tuple(names), tuple(labels), 2, Columns(tuple(parts)))


def heuristic_candidates(heuristics: Sequence[Heuristic], prompts: pd.DataFrame) -> Candidates:
    """The indicator (1 where true) of every heuristic, those on one number first."""
    ordered: list[Heuristic] = []
    parts: list[Part] = []
    for target in ("op1", "op2", "result"):
        here = [h for h in heuristics if h.target == target]
        column = prompts[TARGET_COLUMNS[target][0]].to_numpy(np.int64)
        values, code = np.unique(column, return_inverse=True)
        table = np.array([h.accepts(values) for h in here], dtype=np.float64)
        parts.append(OfNumber(code, table.reshape(len(here), len(values)).T))
        ordered += here
    rest = [h for h in heuristics if h.target not in ("op1", "op2", "result")]
    members = np.array([h.members(prompts) for h in rest], dtype=np.float64)
    parts.append(Written(members.reshape(len(rest), len(prompts)).T))
    ordered += rest
    names, labels = [h.name for h in ordered], [h.label for h in ordered]
    return Candidates(tuple(names), tuple(labels), 1, Columns(tuple(parts)))


def start_columns(prompts: pd.DataFrame, trend: bool) -> Float[np.ndarray, "prompt column"]:
    """What every fit begins with: a constant, and for the trend both operands, standardized.

    An operand that never changes is left at 0.
    """
    ones = np.ones((len(prompts), 1))
    if not trend:
        return ones
    operands = prompts[["a", "b"]].to_numpy(np.float64)
    spread = operands.std(axis=0)
    scaled = (operands - operands.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.concatenate([ones, scaled], axis=1)
