"""Heuristics that depend on the neuron: patterns and few results frequent in its top prompts."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from pipeline_lib.heuristics.counting import Ranking
from pipeline_lib.heuristics.settings import HeuristicSettings, range_rule
from pipeline_lib.heuristics.types import DigitPattern, ExactValue, Heuristic, MultiValue

# All ways to give at least one of three digits, those that give more first. The authors keep the
# most frequent of all of these, and only then drop those that are ranges ("d..", "dd.").
SHAPES = ("ddd", "dd.", "d.d", ".dd", "d..", ".d.", "..d")
N_NUMBERS = 1000
TOLERANCE = 1e-9  # of sums of the weights of ties


def top_weights(ranking: Ranking, depth: int) -> Float[np.ndarray, "rank"]:
    """Weight of each rank in the top ``depth``: 1, and less for ties that ``depth`` cuts."""
    first, stop = (int(edge[0]) for edge in ranking.tie_group(np.array([depth])))
    weights = np.ones(stop)
    weights[first:] = (depth - first) / (stop - first)
    return weights


def first_ranks(ranking: Ranking, depth: int) -> Int[np.ndarray, "rank"]:
    """For each of the first ranks, the first rank with an equal activation."""
    group = np.searchsorted(ranking.group_start, np.arange(depth), side="right") - 1
    return ranking.group_start[group]


def mine_values(
    ranking: Ranking, results: Int[np.ndarray, "prompt"], settings: HeuristicSettings
) -> MultiValue | None:
    """The few results that make up nearly all of the top prompts, if there are so few.

    The fewest most frequent results that reach the share (of equally frequent ones, those that
    appear first); none if their number is not allowed, or if they are a range from 0 and the
    settings of div leave such ranges out.
    """
    depth = min(settings.multi_value_prompts, len(results))
    if depth == 0 or not settings.multi_value_sizes:
        return None
    weights = top_weights(ranking, depth)
    top = results[ranking.order[: len(weights)]]
    values, at, code = np.unique(top, return_index=True, return_inverse=True)
    counts = np.bincount(code, weights=weights)
    order = np.lexsort((values, first_ranks(ranking, len(weights))[at], -counts))
    reached = np.cumsum(counts[order]) >= settings.multi_value_share * depth - TOLERANCE
    found = sorted(values[order[: int(np.argmax(reached)) + 1]].tolist())
    from_zero = range_rule(settings.result_ranges, "div").from_zero
    is_range = found == list(range(len(found)))
    if len(found) not in settings.multi_value_sizes or (is_range and not from_zero):
        return None
    return MultiValue("result", tuple(found))


@dataclass(frozen=True)
class PatternMiner:
    """The patterns and exact values of one number that are frequent among a map's top prompts."""

    numbers: Int[np.ndarray, "prompt"]
    pattern_of: Int[np.ndarray, "number shape"]
    """Identity of the pattern of each shape that a number shows."""
    row: Int[np.ndarray, "pattern"]
    """Position of the pattern among all heuristics, -1 where it is not looked for."""
    shape: Int[np.ndarray, "pattern"]

    @classmethod
    def build(
        cls, heuristics: tuple[Heuristic, ...], target: str, numbers: Int[np.ndarray, "prompt"]
    ) -> "PatternMiner":
        """Miner of the heuristics on this target."""
        rows = {h.name: i for i, h in enumerate(heuristics)}
        digits = [f"{number:03d}" for number in range(N_NUMBERS)]
        shown = np.array([[_show(shape, d) for shape in SHAPES] for d in digits])
        patterns, identity = np.unique(shown, return_inverse=True)
        names = [_heuristic(target, str(pattern)).name for pattern in patterns]
        shape = np.zeros(len(patterns), dtype=np.int64)
        shape[identity] = np.broadcast_to(np.arange(len(SHAPES)), shown.shape)
        row = np.array([rows.get(name, -1) for name in names], dtype=np.int64)
        return cls(numbers, identity.reshape(shown.shape), row, shape)

    def mine(
        self, ranking: Ranking, depth: int, settings: HeuristicSettings
    ) -> Int[np.ndarray, "found"]:
        """Positions of the most frequent patterns with enough of the top ``depth`` prompts.

        Of equally frequent ones, those that give more digits come first, then those that appear
        first in the ranking. The authors' code keeps this order.
        """
        if depth <= 0:
            return np.zeros(0, dtype=np.int64)
        weights = top_weights(ranking, depth)
        numbers = self.numbers[ranking.order[: len(weights)]]
        seen = self.pattern_of[np.minimum(numbers, N_NUMBERS - 1)]
        weights = np.where(numbers < N_NUMBERS, weights, 0.0)
        counts = np.bincount(seen.ravel(), np.repeat(weights, len(SHAPES)), minlength=len(self.row))
        given_up = np.array([shape.count(".") for shape in SHAPES])[self.shape]
        order = np.lexsort((self.shape, self._appearance(ranking, seen), given_up, -counts))
        kept = order[: settings.mined_patterns]
        kept = kept[counts[kept] >= settings.mined_share * depth - TOLERANCE]
        return self.row[kept][self.row[kept] >= 0]

    def _appearance(
        self, ranking: Ranking, seen: Int[np.ndarray, "rank shape"]
    ) -> Int[np.ndarray, "pattern"]:
        """Rank at which each pattern appears first (of a group of ties, the group's)."""
        n = len(seen)
        ranks = np.broadcast_to(first_ranks(ranking, n)[:, None], seen.shape)
        first = np.full(len(self.row), n)
        np.minimum.at(first, seen.ravel(), ranks.ravel())
        return first


def zero_multiples(heuristics: tuple[Heuristic, ...]) -> Bool[np.ndarray, "heuristic"]:
    """What a neuron for "result = 0" meets by the way: multiples of n, numbers ending in 0."""
    return np.array([_is_zero_multiple(h) for h in heuristics], dtype=bool)


def _is_zero_multiple(heuristic: Heuristic) -> bool:
    if isinstance(heuristic, DigitPattern):
        return heuristic.pattern in ("..0", "0.0", ".00")
    return heuristic.name.startswith("result_mod_") and heuristic.name.endswith("_0")


def _show(shape: str, digits: str) -> str:
    return "".join(d if place == "d" else "." for place, d in zip(shape, digits, strict=True))


def _heuristic(target: str, pattern: str) -> Heuristic:
    return ExactValue(target, int(pattern)) if "." not in pattern else DigitPattern(target, pattern)
