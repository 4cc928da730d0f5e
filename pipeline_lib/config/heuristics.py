"""Settings of the heuristic types and of the matching of neurons to them (paper appendix F)."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from pipeline_lib.config.base import (
    Conflict,
    Count,
    Items,
    NonEmpty,
    OperatorName,
    OrderedItems,
    Section,
    Seed,
    Share,
)

PatternShape = Annotated[str, Field(pattern=r"^[.d]{3}$", examples=[".d."])]


class RangeRule(Section):
    """Which ranges are looked for: their lengths, and where they start."""

    lengths: Annotated[OrderedItems[Count], NonEmpty]
    """Lengths of the ranges (numbers); a range is [start, start + length)."""
    step: Literal["third", "length"]
    """Starts: one every max(length // 3, 10) numbers, or one every length."""
    from_zero: bool = True
    """Whether ranges may start at 0."""


RangeRules = dict[OperatorName | Literal["default"], RangeRule]


class HeuristicTypes(Section):
    """Which heuristics are tried, and how many prompts count (paper, appendix F)."""

    operand_ranges: RangeRules
    """Ranges of one operand or both, per operator; `default` for operators that are not named."""
    result_ranges: RangeRules
    """Ranges of the result, per operator; `default` for operators that are not named."""
    moduli: OrderedItems[Annotated[int, Field(ge=2, le=1_000)]]
    """Every n of "m modulo n" (not for the result of div)."""
    patterns: Items[PatternShape] = (".d.", "..d", ".dd", "d.d")
    """Which digits of a three-digit number are given: `d` a digit, `.` any."""
    exact_values: bool = True
    """One heuristic for each value of an operand or result."""
    same_operands: bool = True
    """The heuristic a = b."""
    size_rule: Literal["exact", "formula"]
    """Prompts counted for a heuristic: as many as it holds for, or the authors' formulas."""
    pattern_source: Literal["all", "top_prompts"]
    """All patterns and exact values, or those most frequent in the top prompts (authors)."""
    mined_patterns: Count = 5
    """Patterns and exact values kept under `top_prompts`."""
    mined_share: Share = 0.1
    """Share of the top prompts that each of them must reach under `top_prompts`."""
    multi_value_sizes: OrderedItems[Annotated[int, Field(ge=2, le=100)]]
    """Numbers of distinct results of a multi-value heuristic (result of div only)."""
    multi_value_share: Share = 0.95
    """Share of the top prompts that these results must reach together."""
    multi_value_prompts: Count = 1_000
    """Top prompts looked at for multi-value heuristics."""
    sides: Literal["by_map", "by_type"]
    """Bottom prompts count on K maps, or (authors) for operand heuristics and result modulo n."""
    zero_result_limit: Share | None
    """mul: with this score on "result = 0", no multiples of n or numbers ending in 0; null: off."""

    def conflicts(self) -> Iterator[Conflict]:
        """Operators that are not named need a default."""
        for key in ("operand_ranges", "result_ranges"):
            if "default" not in getattr(self, key):
                yield Conflict(key, None, "needs an entry for default")


class CalibrationSection(Section):
    """Nulls that a neuron has to pass under the rule `fdr` (definitions 17)."""

    nulls: Annotated[
        Items[Literal["surrogate", "low_effect", "direction", "untrained"]], NonEmpty
    ] = ("surrogate", "low_effect", "direction", "untrained")
    """Which of them count; the largest of their p-values decides."""
    surrogates: Annotated[int, Field(ge=19, le=9_999)] = 49
    """Maps as smooth as the neuron's own, without structure, per neuron."""
    per_layer: Annotated[int, Field(ge=1, le=10_000)] = 128
    """Neurons without effect, random directions and untrained neurons, each, per layer."""
    scored: Annotated[int, Field(ge=0, le=10_000)] = 24
    """How many of them per layer are also scored like neurons under the rule `threshold`."""
    seed: Seed = 42
    """Random seed of surrogates, directions and the untrained model."""


class HeuristicsSection(Section):
    """Heuristics, and when a neuron belongs to one (paper, appendix F)."""

    rule: Literal["threshold", "fdr"] = "threshold"
    """A neuron belongs to a heuristic by its score (the paper), or by a test against chance."""
    fdr: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """False discovery rate of classified neurons under the rule `fdr`."""
    min_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Rule `fdr`: share of a map beyond its smooth trend that a heuristic has to explain."""
    calibration: CalibrationSection = CalibrationSection()
    """Nulls of the rule `fdr`."""
    types: HeuristicTypes
    kind: Literal["hybrid", "K", "KV"] = "hybrid"
    """Map that is scored: activations (K), times answer logit (KV); hybrid: KV for results only."""
    threshold: Share = 0.6
    """A neuron belongs to the heuristics with at least this score."""
    max_base_rate: Share = 1.0
    """Heuristics that hold for a larger share of the valid prompts are marked as degenerate."""
