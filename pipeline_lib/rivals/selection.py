"""Forward selection: the few candidates that together explain most of a map.

Everything is computed from products (Gram matrix of the columns, products with the maps), so a
step costs a few operations on vectors of columns, however many prompts there are.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from pipeline_lib.rivals.columns import Gram

TOLERANCE = 1e-7
"""Share of a column's square that must be left, beside what is chosen, for it to count."""


def forward_selection(
    gram: Gram,
    products: Float[np.ndarray, " column"],
    *,
    n_start: int,
    width: int,
    n_terms: int,
) -> list[int]:
    """Candidates in the order in which each, beside those before it, explains most.

    The first ``n_start`` columns are in every fit; the others belong to candidates of ``width``
    columns each. ``gram`` and ``products`` (with the map) are over the prompts to choose on.
    Stops early when no candidate explains anything more.
    """
    left, taken = start_fit(gram, products, n_start)
    chosen: list[int] = []
    for _ in range(n_terms):
        gain = gains(gram, left, taken, n_start, width)
        gain[chosen] = 0.0
        if not len(gain) or gain.max() <= 0:
            break
        chosen.append(int(gain.argmax()))
        first = n_start + width * chosen[-1]
        for column in range(first, first + width):
            left, taken = _take(gram, left, taken, column)
    return chosen


def start_fit(
    gram: Gram, products: Float[np.ndarray, " column"], n_start: int
) -> tuple[Float[np.ndarray, " column"], Float[np.ndarray, "step column"]]:
    """A fit with the first ``n_start`` columns in it, as `_take` returns it."""
    left, taken = products.astype(np.float64), np.zeros((0, len(products)))
    for column in range(n_start):
        left, taken = _take(gram, left, taken, column)
    return left, taken


def _take(
    gram: Gram,
    left: Float[np.ndarray, " column"],
    taken: Float[np.ndarray, "step column"],
    column: int,
) -> tuple[Float[np.ndarray, " column"], Float[np.ndarray, "next column"]]:
    """Bring one column into the fit.

    ``left`` are the columns' products with what the fit leaves of the map; ``taken`` their
    products with the orthonormal directions of the columns in the fit.
    """
    spare = gram[column, column] - (taken[:, column] ** 2).sum()
    if spare <= TOLERANCE * gram[column, column]:
        return left, taken
    row = (gram[column] - taken[:, column] @ taken) / np.sqrt(spare)
    return left - row * (left[column] / np.sqrt(spare)), np.vstack([taken, row])


def gains(
    gram: Gram,
    left: Float[np.ndarray, " column"],
    taken: Float[np.ndarray, "step column"],
    n_start: int,
    width: int,
) -> Float[np.ndarray, " candidate"]:
    """Sum of squares that each candidate would explain beside what is in the fit."""
    product = left[n_start:].reshape(-1, width).copy()
    directions = taken[:, n_start:].reshape(len(taken), -1, width)
    spare = _own_blocks(gram, n_start, width) - np.einsum("kcw,kcv->cwv", directions, directions)
    scale = np.diagonal(gram)[n_start:].reshape(-1, width)
    gain = np.zeros(len(product))
    for i in range(width):
        pivot = spare[:, i, i]
        usable = pivot > TOLERANCE * scale[:, i]
        inverse = np.where(usable, 1 / np.where(usable, pivot, 1.0), 0.0)
        gain += product[:, i] ** 2 * inverse
        factor = spare[:, :, i] * inverse[:, None]
        spare = spare - factor[:, :, None] * spare[:, i, None, :]
        product = product - factor * product[:, i, None]
    return gain


def _own_blocks(gram: Gram, n_start: int, width: int) -> Float[np.ndarray, "candidate width width"]:
    """Products of every candidate's columns with each other."""
    first = np.arange(n_start, len(gram), width)
    columns = first[:, None] + np.arange(width)
    return gram[columns[:, :, None], columns[:, None, :]]


def squared_errors(
    x: Float[np.ndarray, "prompt column"],
    y: Float[np.ndarray, " prompt"],
    fit: Int[np.ndarray, " fit"],
    test: Int[np.ndarray, " test"],
    subsets: Sequence[Sequence[int]],
) -> Float[np.ndarray, " subset"]:
    """Squared errors on the prompts ``test`` of least squares with each subset, on ``fit``."""
    gram, product = x[fit].T @ x[fit], x[fit].T @ y[fit]
    test_gram, test_product, square = x[test].T @ x[test], x[test].T @ y[test], y[test] @ y[test]
    errors = np.empty(len(subsets))
    for i, subset in enumerate(subsets):
        both = np.ix_(subset, subset)
        weight = np.linalg.lstsq(gram[both], product[subset], rcond=1e-12)[0]
        explained = 2 * weight @ test_product[subset] - weight @ test_gram[both] @ weight
        errors[i] = square - explained
    return errors


def halves(
    n_prompts: int, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " one"], Int[np.ndarray, " other"]]:
    """A random half of the prompts and the other half, each in ascending order."""
    order = rng.permutation(n_prompts)
    return np.sort(order[: n_prompts // 2]), np.sort(order[n_prompts // 2 :])
