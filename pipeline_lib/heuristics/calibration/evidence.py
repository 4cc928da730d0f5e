"""How much of a map one heuristic explains that no smooth surface explains (definitions 17).

The statistic is the squared partial correlation of the map with the heuristic's indicator, both
freed of a smooth trend: polynomials up to the third degree in the operands and in the result. A
ramp is its own trend and leaves nothing, so a range at the ramp's edge is no evidence; a map that
is the indicator itself reaches 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from pipeline_lib.heuristics.index import HeuristicIndex, is_degenerate
from pipeline_lib.heuristics.types import TARGET_COLUMNS, Heuristic

DEGREE = 3
SINGULAR = 1e-4
"""A trend term of which less than this is left (in length) is a combination of the others."""
FLAT = 1e-8
"""A map of which the trend leaves a smaller share is its trend; the rest is rounding."""

Maps = Float[np.ndarray, "map prompt"]
Sums = Float[np.ndarray, "map heuristic"]


@dataclass(frozen=True)
class Grid:
    """The prompts as places of a picture over (operand 1, operand 2)."""

    shape: tuple[int, int]
    place: Int[np.ndarray, " prompt"]
    """Place of each prompt in the flattened picture."""

    @classmethod
    def of(cls, prompts: pd.DataFrame) -> "Grid":
        """Smallest picture with all prompts; one row or column an integer, with or without any."""
        a, b = (prompts[name].to_numpy(np.int64) for name in ("a", "b"))
        a, b = a - a.min(), b - b.min()
        shape = (int(a.max()) + 1, int(b.max()) + 1)
        return cls(shape, a * shape[1] + b)

    def pictures(self, maps: Maps) -> Float[np.ndarray, "map a b"]:
        """Maps as pictures, 0 where there is no prompt."""
        flat = np.zeros((len(maps), self.shape[0] * self.shape[1]), dtype=np.float32)
        flat[:, self.place] = maps
        return flat.reshape(len(maps), *self.shape)


@dataclass(frozen=True)
class Members:
    """Heuristics of one target as the values of its numbers that they accept."""

    rows: Int[np.ndarray, " row"]
    """Positions of these heuristics among all."""
    columns: tuple[Float[np.ndarray, "row _"], ...]
    """0 or 1 for every value of each number, from the number's smallest value on."""

    @classmethod
    def of(cls, heuristics: Sequence[Heuristic], target: str, prompts: pd.DataFrame) -> "Members":
        """Heuristics on this target."""
        rows = [i for i, heuristic in enumerate(heuristics) if heuristic.target == target]
        columns = []
        for name in TARGET_COLUMNS[target]:
            values = np.arange(prompts[name].min(), prompts[name].max() + 1)
            accepted = [heuristics[row].accepts(values) for row in rows]
            columns.append(np.array(accepted, np.float32).reshape(len(rows), len(values)))
        return cls(np.array(rows, dtype=np.int64), tuple(columns))


@dataclass(frozen=True)
class Evidence:
    """The heuristics of one operator that can be told apart, ready to be compared with maps."""

    index: HeuristicIndex
    heuristics: tuple[Heuristic, ...]
    """Heuristics that are tested: none degenerate, and of those with the same prompts only one."""
    grid: Grid
    members: dict[str, Members]
    trend: Float[np.ndarray, "prompt term"]
    """Orthonormal basis of the trend."""
    left: Float[np.ndarray, " heuristic"]
    """Squared length of every indicator beyond the trend; 0 where the trend is all of it."""

    @classmethod
    def build(cls, index: HeuristicIndex, max_base_rate: float = 1.0) -> "Evidence":
        """Evidence for the heuristics of an index that are not degenerate."""
        rows = distinct(index, max_base_rate)
        heuristics = tuple(index.heuristics[row] for row in rows)
        n = len(index.prompts)
        bare = cls(
            index=index,
            heuristics=heuristics,
            grid=Grid.of(index.prompts),
            members={t: Members.of(heuristics, t, index.prompts) for t in TARGET_COLUMNS},
            trend=np.zeros((n, 0), dtype=np.float32),
            left=index.size[rows].astype(np.float64),
        )
        return bare.beyond(*trend_terms(index.prompts))

    def only(self, wanted: Bool[np.ndarray, " heuristic"]) -> "Evidence":
        """The same for some of the heuristics."""
        chosen = tuple(h for h, keep in zip(self.heuristics, wanted, strict=True) if keep)
        members = {t: Members.of(chosen, t, self.index.prompts) for t in TARGET_COLUMNS}
        return replace(self, heuristics=chosen, members=members, left=self.left[wanted])

    @cached_property
    def pair(self) -> Int[np.ndarray, " row"]:
        """Positions of the heuristics on the pair of operands."""
        rows = [i for i, heuristic in enumerate(self.heuristics) if heuristic.target == "pair"]
        return np.array(rows, dtype=np.int64)

    @cached_property
    def on_result(self) -> Bool[np.ndarray, " heuristic"]:
        """Heuristics on the result."""
        return np.array([h.target == "result" for h in self.heuristics], dtype=bool)

    @cached_property
    def by_result(self) -> tuple[Int[np.ndarray, " prompt"], Int[np.ndarray, " value"]]:
        """Prompts in the order of their results, and where each distinct result begins."""
        order = np.argsort(self.index.results, kind="stable")
        return order, np.flatnonzero(np.diff(self.index.results[order], prepend=-1))

    def residuals(self, maps: Maps) -> Maps:
        """Maps without their trend; all 0 for maps that are their trend."""
        centred = maps - maps.mean(axis=1, keepdims=True)
        left = centred - (centred @ self.trend) @ self.trend.T
        flat = (left**2).sum(axis=1) <= FLAT * (centred**2).sum(axis=1)
        left[flat] = 0.0
        return left

    def correlations(self, residuals: Maps) -> Sums:
        """Partial correlation of every indicator with maps that were freed of their trend."""
        length = np.linalg.norm(residuals, axis=1)[:, None] * np.sqrt(self.left)
        sums = self.sums(residuals)
        return np.divide(sums, length, out=np.zeros_like(sums), where=length > 0)

    def correlation(self, heuristic: Heuristic, residual: Float[np.ndarray, " prompt"]) -> float:
        """Partial correlation of one heuristic, not among those tested, with one freed map."""
        indicator = heuristic.members(self.index.prompts).astype(np.float32)
        left = self.residuals(indicator[None])[0]
        length = float(np.linalg.norm(left) * np.linalg.norm(residual))
        return float(left @ residual) / length if length else 0.0

    def beyond(self, *columns: Float[np.ndarray, " prompt"]) -> "Evidence":
        """The same with more columns in the trend: what they explain is no evidence any more."""
        basis, new = self.trend, 0
        for column in columns:
            size = np.linalg.norm(column)
            for _ in range(2):  # once more, for what rounding left
                column = column - basis @ (basis.T @ column)
            length = np.linalg.norm(column)
            if length > SINGULAR * size:
                unit = (column / length).astype(np.float32)[:, None]
                basis, new = np.concatenate([basis, unit], axis=1), new + 1
        if not new:
            return self
        taken = self.sums(basis[:, -new:].T).astype(np.float64) ** 2
        left = self.left - taken.sum(axis=0)
        return replace(self, trend=basis, left=np.where(left > FLAT * self.left, left, 0.0))

    def sums(self, values: Maps) -> Sums:
        """Sum over the prompts of every heuristic."""
        found = np.zeros((len(values), len(self.heuristics)), dtype=np.float32)
        op1, op2, both, result = (self.members[t] for t in ("op1", "op2", "both", "result"))
        if len(op1.rows) or len(op2.rows) or len(both.rows):
            pictures = self.grid.pictures(values)
            found[:, op1.rows] = pictures.sum(axis=2) @ op1.columns[0].T
            found[:, op2.rows] = pictures.sum(axis=1) @ op2.columns[0].T
            of_first = both.columns[0] @ pictures
            found[:, both.rows] = np.einsum("mhb,hb->mh", of_first, both.columns[1])
        if len(result.rows):
            found[:, result.rows] = self._by_result(values) @ result.columns[0].T
        for row in self.pair:
            found[:, row] = values[:, self.heuristics[row].members(self.index.prompts)].sum(axis=1)
        return found

    def _by_result(self, values: Maps) -> Float[np.ndarray, "map number"]:
        order, start = self.by_result
        results = self.index.results
        found = np.zeros((len(values), int(results.max() - results.min()) + 1), dtype=np.float32)
        at = results[order[start]] - results.min()
        found[:, at] = np.add.reduceat(values[:, order], start, axis=1)
        return found


def distinct(index: HeuristicIndex, max_base_rate: float) -> Int[np.ndarray, " heuristic"]:
    """Positions of the heuristics that can be told apart: not degenerate, one of equal ones."""
    one_of_equals = index.equal_to == np.arange(len(index.heuristics))
    return np.flatnonzero(one_of_equals & ~is_degenerate(index.base_rate, max_base_rate))


def trend_terms(prompts: pd.DataFrame, degree: int = DEGREE) -> list[Float[np.ndarray, " prompt"]]:
    """The smooth surfaces: polynomials in the operands, and in the result.

    Terms a^i b^j with i + j <= ``degree`` and answer^i with i <= ``degree``.
    """
    a, b, answer = (_scaled(prompts[c].to_numpy(np.float64)) for c in ("a", "b", "answer"))
    powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    return [a**i * b**j for i, j in powers] + [answer**i for i in range(1, degree + 1)]


def _scaled(values: Float[np.ndarray, " prompt"]) -> Float[np.ndarray, " prompt"]:
    """Values brought to -1..1."""
    low, high = values.min(), values.max()
    return (2 * values - low - high) / max(high - low, 1.0)
