"""Cosines and sines of numbers, and which frequencies are tried."""

from collections.abc import Sequence
from math import isqrt

import numpy as np
from jaxtyping import Float, Int


def frequencies(n: int, periods: Sequence[int]) -> Float[np.ndarray, " frequency"]:
    """Frequencies (cycles a unit) that are tried on a number that spans ``n`` integers, ascending.

    k / ``n`` for k = 1 .. n // 2; every whole period up to the root of n, below which those leave
    gaps; and ``periods`` up to n.
    """
    grid = np.arange(1, n // 2 + 1) / max(n, 1)
    named = [float(period) for period in (*range(2, isqrt(n) + 1), *periods) if period <= n]
    found = np.concatenate([grid, 1 / np.array(sorted(set(named)), dtype=np.float64)])
    found = np.sort(found)
    return found[np.diff(found, prepend=-1.0) > 1e-9]


def waves(
    numbers: Int[np.ndarray, " number"], found: Float[np.ndarray, " frequency"]
) -> Float[np.ndarray, "number pair"]:
    """Columns cos, sin, cos, sin, ... of the numbers at each frequency; sin is 0 at period 2."""
    # whole turns taken off first: the phase of a large number is then as exact as a small one's
    turns = np.multiply.outer(numbers.astype(np.float64), found) % 1.0
    both = np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], axis=2)
    both[np.abs(both) < 1e-9] = 0.0
    return both.reshape(len(numbers), -1)
