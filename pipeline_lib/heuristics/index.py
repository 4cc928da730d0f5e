"""The heuristics of one operator, prepared for counting: sizes, base rates, counters."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from pipeline_lib.heuristics.counting import Counter, build_counters
from pipeline_lib.heuristics.enumeration import (
    SizeFormula,
    enumerate_heuristics,
    tested_sizes,
)
from pipeline_lib.heuristics.mining import PatternMiner
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.heuristics.types import TARGET_COLUMNS, DigitPattern, ExactValue, Heuristic

NUMBERS = ("op1", "op2", "result")


@dataclass(frozen=True)
class HeuristicIndex:
    """The heuristics of one operator and what is needed to score maps over its valid prompts."""

    operator: str
    settings: HeuristicSettings
    prompts: pd.DataFrame
    heuristics: tuple[Heuristic, ...]
    size: Int[np.ndarray, "heuristic"]
    """Number of prompts each heuristic holds for."""
    k: Int[np.ndarray, "heuristic"]
    """Number of top prompts each heuristic is tested on."""
    counters: tuple[Counter, ...]
    miners: tuple[PatternMiner, ...]
    mining_depth: int
    """Number of top prompts in which patterns are mined."""

    @classmethod
    def build(
        cls,
        operator: str,
        settings: HeuristicSettings,
        prompts: pd.DataFrame,
        *,
        max_operand: int,
        max_number: int,
    ) -> "HeuristicIndex":
        """Index of an operator's valid prompts (columns a, b, answer), in the order of the maps.

        ``max_operand`` (exclusive) and ``max_number`` (largest answer) enter the authors' formulas.
        """
        prompts = prompts[["a", "b", "answer"]].reset_index(drop=True)
        heuristics = tuple(enumerate_heuristics(operator, settings, prompts))
        size = _sizes(heuristics, prompts)
        formula = SizeFormula(operator, max_operand, max_number, len(prompts) / max_operand**2)
        k = tested_sizes(heuristics, size, settings.size_rule, formula)
        return cls(
            operator=operator,
            settings=settings,
            prompts=prompts,
            heuristics=heuristics,
            size=size,
            k=np.minimum(k, len(prompts)),
            counters=build_counters(heuristics, prompts, k),
            miners=_miners(settings, heuristics, prompts),
            mining_depth=min(formula.top_prompts(), len(prompts)),
        )

    @cached_property
    def names(self) -> list[str]:
        """Machine names of the heuristics."""
        return [heuristic.name for heuristic in self.heuristics]

    @cached_property
    def base_rate(self) -> Float[np.ndarray, "heuristic"]:
        """Share of the valid prompts each heuristic holds for: the score of a meaningless map."""
        return self.size / max(len(self.prompts), 1)

    @cached_property
    def of_mined_type(self) -> Bool[np.ndarray, "heuristic"]:
        """Patterns and exact values, which pattern_source "top_prompts" mines per neuron."""
        mined = (DigitPattern, ExactValue)
        return np.array([isinstance(h, mined) for h in self.heuristics], dtype=bool)

    @cached_property
    def on_result(self) -> Bool[np.ndarray, "heuristic"]:
        """Heuristics on the result."""
        return np.array([h.target == "result" for h in self.heuristics], dtype=bool)

    @cached_property
    def results(self) -> Int[np.ndarray, "prompt"]:
        """Answer of each prompt."""
        return self.prompts["answer"].to_numpy(np.int64)

    @cached_property
    def equal_to(self) -> Int[np.ndarray, "heuristic"]:
        """Position of the heuristic that stands for those with the same prompts.

        An exact value where there is one, else the first.
        """
        first: dict[bytes, int] = {}
        keys = [np.packbits(h.members(self.prompts)).tobytes() for h in self.heuristics]
        for row, heuristic in enumerate(self.heuristics):
            if keys[row] not in first or isinstance(heuristic, ExactValue):
                first[keys[row]] = row
        return np.array([first[key] for key in keys], dtype=np.int64)

    def table(self, max_base_rate: float = 1.0) -> pd.DataFrame:
        """One row per heuristic: its names, size, k, base_rate, degenerate, equal_to.

        Degenerate ones hold for every prompt, or for a larger share than ``max_base_rate``: a
        neuron's score on them says nothing about the neuron. ``equal_to`` names the heuristic that
        stands for those with the same prompts where neurons are tested (itself for most).
        """
        return pd.DataFrame(
            {
                "heuristic": np.array(self.names, dtype=object),
                "label": np.array([h.label for h in self.heuristics], dtype=object),
                "type": np.array([h.type_name for h in self.heuristics], dtype=object),
                "target": np.array([h.target for h in self.heuristics], dtype=object),
                "size": self.size,
                "k": self.k,
                "base_rate": self.base_rate,
                "degenerate": is_degenerate(self.base_rate, max_base_rate),
                "equal_to": np.array(self.names, dtype=object)[self.equal_to],
            }
        )


def is_degenerate(
    base_rate: Float[np.ndarray, "heuristic"], max_base_rate: float
) -> Bool[np.ndarray, "heuristic"]:
    """Heuristics that hold for every prompt, or for a larger share than the limit."""
    return (base_rate >= 1) | (base_rate > max_base_rate)


def _sizes(
    heuristics: tuple[Heuristic, ...], prompts: pd.DataFrame
) -> Int[np.ndarray, "heuristic"]:
    counts = {}
    for target in NUMBERS:
        column = prompts[TARGET_COLUMNS[target][0]].to_numpy(np.int64)
        counts[target] = np.unique(column, return_counts=True)
    sizes = []
    for heuristic in heuristics:
        if heuristic.target in NUMBERS:
            values, n = counts[heuristic.target]
            sizes.append(n[heuristic.accepts(values)].sum())
        else:
            sizes.append(heuristic.members(prompts).sum())
    return np.array(sizes, dtype=np.int64)


def _miners(
    settings: HeuristicSettings,
    heuristics: tuple[Heuristic, ...],
    prompts: pd.DataFrame,
) -> tuple[PatternMiner, ...]:
    if settings.pattern_source == "all":
        return ()
    numbers = {t: prompts[TARGET_COLUMNS[t][0]].to_numpy(np.int64) for t in NUMBERS}
    return tuple(PatternMiner.build(heuristics, t, numbers[t]) for t in NUMBERS)
