"""Columns over prompts that may explain a neuron's map, and their products.

A column that depends on one number of a prompt (operand 1, the sum, the result, ...) is a table
over that number's values. Its products with others are sums over values, so that thousands of
columns over tens of thousands of prompts are never written out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Gram = Float[np.ndarray, "column column"]


@dataclass(frozen=True)
class OfNumber:
    """Columns that depend on one number."""

    code: Int[np.ndarray, " prompt"]
    """Which value the number has in each prompt."""
    table: Float[np.ndarray, "value column"]

    @property
    def n_columns(self) -> int:
        """How many columns these are."""
        return self.table.shape[1]

    def rows(self, chosen: Int[np.ndarray, " chosen"]) -> "OfNumber":
        """The same columns over some of the prompts."""
        return OfNumber(self.code[chosen], self.table)

    def write(self, columns: Int[np.ndarray, " wanted"]) -> Float[np.ndarray, "prompt wanted"]:
        """Some of the columns, written out."""
        return self.table[:, columns][self.code]

    def products(self, x: Float[np.ndarray, "prompt k"]) -> Float[np.ndarray, "column k"]:
        """Sum over prompts of every column times every column of ``x``."""
        return self.table.T @ sums_by_value(self.code, x, len(self.table))


@dataclass(frozen=True)
class Written:
    """Columns that depend on several numbers, written out."""

    values: Float[np.ndarray, "prompt column"]

    @property
    def n_columns(self) -> int:
        """How many columns these are."""
        return self.values.shape[1]

    def rows(self, chosen: Int[np.ndarray, " chosen"]) -> "Written":
        """The same columns over some of the prompts."""
        return Written(self.values[chosen])

    def write(self, columns: Int[np.ndarray, " wanted"]) -> Float[np.ndarray, "prompt wanted"]:
        """Some of the columns."""
        return self.values[:, columns]

    def products(self, x: Float[np.ndarray, "prompt k"]) -> Float[np.ndarray, "column k"]:
        """Sum over prompts of every column times every column of ``x``."""
        return self.values.T @ x


Part = OfNumber | Written


@dataclass(frozen=True)
class Columns:
    """Columns of several parts, one part after the other."""

    parts: tuple[Part, ...]

    @property
    def n_columns(self) -> int:
        """How many columns these are."""
        return sum(part.n_columns for part in self.parts)

    def rows(self, chosen: Int[np.ndarray, " chosen"]) -> "Columns":
        """The same columns over some of the prompts."""
        return Columns(tuple(part.rows(chosen) for part in self.parts))

    def write(self, columns: Sequence[int]) -> Float[np.ndarray, "prompt wanted"]:
        """Some of the columns, written out in the given order (at least one)."""
        starts = np.cumsum([0, *(part.n_columns for part in self.parts)])
        places = np.searchsorted(starts, np.asarray(columns), side="right") - 1
        written = [
            self.parts[place].write(np.array([column - starts[place]]))
            for column, place in zip(columns, places.tolist(), strict=True)
        ]
        return np.concatenate(written, axis=1)

    def products(self, x: Float[np.ndarray, "prompt k"]) -> Float[np.ndarray, "column k"]:
        """Sum over prompts of every column times every column of ``x``."""
        return np.concatenate([part.products(x) for part in self.parts])

    def gram(self) -> Gram:
        """Sum over prompts of every column times every other."""
        blocks = [[np.zeros((0, 0))] * len(self.parts) for _ in self.parts]
        for i, one in enumerate(self.parts):
            for j, other in enumerate(self.parts[: i + 1]):
                blocks[i][j] = _block(one, other)
                blocks[j][i] = blocks[i][j].T
        return np.block(blocks)


def sums_by_value(
    code: Int[np.ndarray, " prompt"], x: Float[np.ndarray, "prompt k"], n_values: int
) -> Float[np.ndarray, "value k"]:
    """Sums of the rows of ``x`` over the prompts that have each value."""
    result = np.zeros((n_values, x.shape[1]))
    order = np.argsort(code, kind="stable")
    present, start = np.unique(code[order], return_index=True)
    if len(present):
        result[present] = np.add.reduceat(x[order].astype(np.float64), start, axis=0)
    return result


def _block(one: Part, other: Part) -> Float[np.ndarray, "one other"]:
    """Products of the columns of two parts."""
    if isinstance(other, Written):
        return one.products(other.values)
    if isinstance(one, Written):
        return other.products(one.values).T
    n_values = len(other.table)
    pairs = np.bincount(one.code * n_values + other.code, minlength=len(one.table) * n_values)
    return one.table.T @ pairs.reshape(-1, n_values).astype(np.float64) @ other.table
