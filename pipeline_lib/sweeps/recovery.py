"""Recovery: how much of the way from one run's measure to another's a patch goes."""

import numpy as np
from jaxtyping import Float64


def recovery(
    patched: Float64[np.ndarray, "pair *cell"],
    base: Float64[np.ndarray, " pair"],
    source: Float64[np.ndarray, " pair"],
    floor: float,
) -> Float64[np.ndarray, "pair *cell"]:
    """(patched - base) / (source - base) of each pair: 0 is the base run, 1 the source run.

    NaN for pairs whose runs differ by no more than ``floor``, the noise of the measure: a ratio to
    them would mean nothing. Callers report how many these are.
    """
    gap = source - base
    gap = np.where(np.abs(gap) > floor, gap, np.nan)
    extra = (1,) * (patched.ndim - 1)
    return (patched - base.reshape(-1, *extra)) / gap.reshape(-1, *extra)
