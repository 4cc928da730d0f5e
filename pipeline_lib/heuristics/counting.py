"""How many of a map's top k prompts each heuristic holds for, all heuristics at once.

A heuristic on one number (operand 1, operand 2 or the result) is a set of values of that number, so
its count is a sum over values of "prompts with this value among the first k of the ranking". Those
come from one sorted array per number. Heuristics on both operands are lists of prompts.

Prompts with equal activation have no order. Counts are the expected ones when ties are broken at
random: a constant map scores the base rate everywhere, and the prompts' order never matters.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int, Real

from pipeline_lib.heuristics.types import TARGET_COLUMNS, Heuristic

NUMBERS = ("op1", "op2", "result")
Depths = Int[np.ndarray, "row"]
Counts = Float[np.ndarray, "row"]
Prepared = Int[np.ndarray, "_"]


@dataclass(frozen=True)
class Ranking:
    """Prompts of one map from the highest to the lowest activation."""

    order: Int[np.ndarray, "prompt"]
    """Prompt at each rank."""
    rank: Int[np.ndarray, "prompt"]
    """Rank of each prompt."""
    group_start: Int[np.ndarray, "group"]
    """First rank of every group of equal activations."""

    @classmethod
    def of(cls, activations: Float[np.ndarray, "prompt"]) -> "Ranking":
        """Ranking of one map."""
        order = _descending(activations)
        ranked = activations[order]
        rank = np.empty(len(order), dtype=np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        new_group = np.concatenate([np.ones(min(len(order), 1), bool), ranked[1:] != ranked[:-1]])
        return cls(order, rank, np.flatnonzero(new_group))

    def reversed(self) -> "Ranking":
        """The same prompts from the lowest to the highest activation."""
        n = len(self.order)
        starts = n - np.append(self.group_start[1:], n)[::-1]
        return Ranking(self.order[::-1], (n - 1 - self.rank).astype(np.int32), starts)

    def tie_group(self, depth: Depths) -> tuple[Depths, Depths]:
        """First rank, and one past the last, of the ties the last of ``depth`` prompts is in."""
        group = np.searchsorted(self.group_start, depth - 1, side="right") - 1
        stops = np.append(self.group_start[1:], len(self.order))
        return self.group_start[group], stops[group]


@dataclass(frozen=True)
class ValueCounter:
    """Counts for the heuristics on one number, held as pairs (heuristic, value it accepts)."""

    rows: Int[np.ndarray, "row"]
    """Positions of these heuristics among all."""
    by_value: Int[np.ndarray, "prompt"]
    """Prompts ordered by their number."""
    offset: Int[np.ndarray, "prompt"]
    """Index of the number among the distinct ones times (prompts + 1), in that order."""
    pair_row: Int[np.ndarray, "pair"]
    pair_offset: Int[np.ndarray, "pair"]
    """Offset of the value."""
    before: Float[np.ndarray, "row"]
    """Prompts with a smaller number, summed over the values of each heuristic."""

    @classmethod
    def build(
        cls,
        heuristics: Sequence[Heuristic],
        target: str,
        prompts: pd.DataFrame,
        depth: Int[np.ndarray, "heuristic"],
    ) -> "ValueCounter":
        """Counter of the heuristics on this target; ``depth`` only sorts the pairs."""
        column = prompts[TARGET_COLUMNS[target][0]].to_numpy(np.int64)
        values, codes, counts = np.unique(column, return_inverse=True, return_counts=True)
        by_value = np.argsort(codes, kind="stable")
        rows = np.array([i for i, h in enumerate(heuristics) if h.target == target], dtype=np.int64)
        accepted = [np.flatnonzero(heuristics[row].accepts(values)) for row in rows]
        pair_row = np.repeat(np.arange(len(rows)), [len(found) for found in accepted])
        pair_code = np.concatenate([*accepted, np.zeros(0, dtype=np.int64)])
        # Ascending needles make the binary searches of `count` four times as fast.
        order = np.lexsort((depth[rows][pair_row], pair_code))
        pair_row, pair_code = pair_row[order], pair_code[order]
        n = len(codes) + 1
        dtype = np.int32 if (len(values) + 1) * n < 2**31 else np.int64
        start = (np.cumsum(counts) - counts).astype(np.float64)
        return cls(
            rows=rows,
            by_value=by_value,
            offset=(codes[by_value] * n).astype(dtype),
            pair_row=pair_row,
            pair_offset=(pair_code * n).astype(dtype),
            before=_sums(pair_row, start[pair_code], len(rows)),
        )

    def prepare(self, ranking: Ranking) -> Int[np.ndarray, "prompt"]:
        """Sorted keys (number, then rank): a number's first d ranks are one stretch of them."""
        return np.sort(self.offset + np.take(ranking.rank, self.by_value))

    def count(
        self, keys: Int[np.ndarray, "prompt"], depth: Depths, wanted: Bool[np.ndarray, "row"]
    ) -> Counts:
        """Prompts of each wanted heuristic among the first ``depth``, 0 for the others."""
        pairs = slice(None) if wanted.all() else np.flatnonzero(wanted[self.pair_row])
        row = self.pair_row[pairs]
        needles = self.pair_offset[pairs] + depth.astype(keys.dtype)[row]
        # includes the prompts with a smaller number
        found = _sums(row, np.searchsorted(keys, needles), len(self.rows))
        return np.where(wanted, found - self.before, 0.0)


@dataclass(frozen=True)
class ListCounter:
    """Counts for heuristics on two numbers, held as lists of prompts one after the other."""

    rows: Int[np.ndarray, "row"]
    prompt: Int[np.ndarray, "member"]
    start: Int[np.ndarray, "row"]
    """First member of each heuristic; none is empty."""
    size: Int[np.ndarray, "row"]

    @classmethod
    def build(cls, heuristics: Sequence[Heuristic], prompts: pd.DataFrame) -> "ListCounter":
        """Counter of the heuristics that are not on one number."""
        rows = np.array([i for i, h in enumerate(heuristics) if h.target not in NUMBERS], dtype=int)
        members = [np.flatnonzero(heuristics[row].members(prompts)) for row in rows]
        size = np.array([len(found) for found in members], dtype=np.int64)
        prompt = np.concatenate([*members, np.zeros(0, dtype=np.int64)])
        return cls(rows, prompt, np.cumsum(size) - size, size)

    def prepare(self, ranking: Ranking) -> Int[np.ndarray, "member"]:
        """Rank of every member."""
        return np.take(ranking.rank, self.prompt)

    def count(
        self, rank: Int[np.ndarray, "member"], depth: Depths, wanted: Bool[np.ndarray, "row"]
    ) -> Counts:
        """Prompts of each wanted heuristic among the first ``depth``, 0 for the others."""
        if not len(self.rows):
            return np.zeros(0)
        limit = np.repeat(np.where(wanted, depth, 0).astype(np.int32), self.size)
        inside = rank < limit
        return np.add.reduceat(inside, self.start, dtype=np.int32).astype(np.float64)


Counter = ValueCounter | ListCounter


def build_counters(
    heuristics: Sequence[Heuristic], prompts: pd.DataFrame, depth: Int[np.ndarray, "heuristic"]
) -> tuple[Counter, ...]:
    """Counters that together cover all heuristics (none of them empty)."""
    numbers = [ValueCounter.build(heuristics, target, prompts, depth) for target in NUMBERS]
    return (*numbers, ListCounter.build(heuristics, prompts))


def expected_counts(
    counter: Counter, prepared: Prepared, ranking: Ranking, depth: Depths
) -> Counts:
    """Expected number of each heuristic's prompts among the first ``depth`` (ties at random).

    ``prepared`` is ``counter.prepare(ranking)``.
    """
    first, stop = ranking.tie_group(depth)
    counts = counter.count(prepared, stop, depth > 0)
    cut = (stop != depth) & (depth > 0)
    if cut.any():
        lower = counter.count(prepared, first, cut)
        share = (depth - first) / np.maximum(stop - first, 1)
        counts = np.where(cut, lower + share * (counts - lower), counts)
    return counts


def _descending(activations: Float[np.ndarray, "prompt"]) -> Int[np.ndarray, "prompt"]:
    """Indices from the highest to the lowest activation.

    Sorting one integer that holds the float's bits above its index takes less than half the time
    of `argsort`.
    """
    if activations.dtype != np.float32:
        return np.argsort(-activations)
    bits = (-activations + np.float32(0)).view(np.int32)  # -0 becomes 0
    ordered = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))  # integers in the order of the floats
    keys = (ordered.astype(np.int64) << 32) | np.arange(len(activations))
    keys.sort()
    return keys & 0xFFFFFFFF


def _sums(
    row: Int[np.ndarray, "pair"], values: Real[np.ndarray, "pair"], n_rows: int
) -> Float[np.ndarray, "row"]:
    """Sum of the values of each row."""
    return np.bincount(row, weights=values, minlength=n_rows).astype(np.float64, copy=False)
