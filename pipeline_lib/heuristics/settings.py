"""What heuristics are looked for and how they are scored: the presets' values (definitions 7)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pipeline_lib.errors import ConfigError

RangeSteps = Literal["length", "third"]
SizeRule = Literal["exact", "formula"]
PatternSource = Literal["all", "top_prompts"]
SideRule = Literal["by_map", "by_type"]

WILDCARD = "."
DIGIT = "d"


@dataclass(frozen=True)
class RangeRule:
    """Which ranges are looked for: their lengths and where they start.

    ``step`` "length" starts one every length (no overlap), "third" every max(length // 3, 10).
    ``from_zero`` false leaves out those that start at 0, and multi-value sets that are one.
    """

    lengths: tuple[int, ...] = (10, 30, 50, 100)
    step: RangeSteps = "third"
    from_zero: bool = True

    def starts(self, length: int, last: int) -> range:
        """Starts of the ranges of this length that begin at or before ``last``."""
        step = length if self.step == "length" else max(length // 3, 10)
        return range(0 if self.from_zero else step, last + 1, step)


@dataclass(frozen=True)
class HeuristicSettings:
    """Which heuristics are enumerated and how neurons are scored on them.

    operand_ranges, result_ranges: rule per operator name; "default" for the others.
    moduli: every n of "≡ m (mod n)"; the result of div has none.
    patterns: places of the digits, "d" a digit and "." any (".d.", "..d", ".dd", "d.d").
    exact_values: one heuristic per operand and result.
    size_rule: k = number of the heuristic's prompts ("exact", appendix F), or the authors' formula.
    pattern_source: score every pattern and exact value ("all"), or only the ``mined_patterns`` most
      frequent in the top k prompts with a share of ``mined_share`` at least, patterns and exact
      values together ("top_prompts", the authors).
    multi_value_*: sizes allowed, share they must reach, number of top prompts (result of div only).
    sides: "by_map": bottom prompts count on K maps only. "by_type" (the authors): on both maps, but
      only for operand heuristics and result ≡ m (mod n).
    zero_result_limit: in mul, a neuron that reaches this score on "result = 0" is not also given
      multiples of n and numbers ending in 0; None leaves them.
    """

    operand_ranges: Mapping[str, RangeRule] = field(
        default_factory=lambda: {"default": RangeRule()}
    )
    result_ranges: Mapping[str, RangeRule] = field(
        default_factory=lambda: {"default": RangeRule(), "div": RangeRule((2, 10, 100))}
    )
    moduli: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15)
    patterns: tuple[str, ...] = (".d.", "..d", ".dd", "d.d")
    exact_values: bool = True
    same_operands: bool = True
    size_rule: SizeRule = "exact"
    pattern_source: PatternSource = "all"
    mined_patterns: int = 5
    mined_share: float = 0.1
    multi_value_sizes: tuple[int, ...] = (2, 3, 4)
    multi_value_share: float = 0.95
    multi_value_prompts: int = 1000
    sides: SideRule = "by_map"
    zero_result_limit: float | None = None

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "HeuristicSettings":
        """Settings from plain config values (lists and mappings), defaults where a key is missing.

        Raises ConfigError for unknown keys.
        """
        unknown = sorted(set(values) - set(cls.__dataclass_fields__))
        if unknown:
            raise ConfigError(
                "Unknown heuristic settings.",
                value=", ".join(unknown),
                hint=f"known: {', '.join(cls.__dataclass_fields__)}",
            )
        return replace(cls(), **{key: _frozen(key, value) for key, value in values.items()})


def range_rule(rules: Mapping[str, RangeRule], operator: str) -> RangeRule:
    """The rule of an operator, or the default one."""
    return rules[operator] if operator in rules else rules["default"]


def _frozen(key: str, value: Any) -> Any:
    if key.endswith("_ranges"):
        return {name: _range_rule(rule) for name, rule in value.items()}
    return tuple(value) if isinstance(value, list | tuple) else value


def _range_rule(rule: RangeRule | Mapping[str, Any]) -> RangeRule:
    if isinstance(rule, RangeRule):
        return rule
    return RangeRule(**{**rule, "lengths": tuple(rule["lengths"])})


PAPER: dict[str, Any] = {
    "operand_ranges": {"default": {"lengths": [10, 30, 50, 100], "step": "third"}},
    "result_ranges": {
        "default": {"lengths": [10, 30, 50, 100], "step": "third"},
        "div": {"lengths": [2, 10, 100], "step": "third"},
    },
    "moduli": [2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15],
    "patterns": [".d.", "..d", ".dd", "d.d"],
    "exact_values": True,
    "same_operands": True,
    "size_rule": "exact",
    "pattern_source": "all",
    "multi_value_sizes": [2, 3, 4],
    "multi_value_share": 0.95,
    "multi_value_prompts": 1000,
    "sides": "by_map",
    "zero_result_limit": None,
}

AUTHORS: dict[str, Any] = {
    **PAPER,
    "operand_ranges": {
        "default": {"lengths": [10, 30, 50, 100], "step": "length"},
        "mul": {"lengths": [3, 5, 10], "step": "length"},
    },
    "result_ranges": {
        "default": {"lengths": [10, 30, 50], "step": "third"},
        "mul": {"lengths": [10, 30, 50, 100], "step": "third"},
        "div": {"lengths": [2, 10, 100], "step": "third", "from_zero": False},
    },
    "moduli": [2, 3, 4, 5, 6, 7, 8, 9, 10],
    "size_rule": "formula",
    "pattern_source": "top_prompts",
    "mined_patterns": 5,
    "mined_share": 0.1,
    "multi_value_sizes": [2, 3, 4, 5],
    "sides": "by_type",
    "zero_result_limit": 0.9,
}
