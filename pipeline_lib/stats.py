"""Intervals of means and shares, over prompts."""

import numpy as np
from jaxtyping import Float, Int

Z_95 = 1.959963984540054


def bootstrap_mean_interval(
    values: Float[np.ndarray, "sample *cell"], rng: np.random.Generator, n: int = 2000
) -> tuple[Float[np.ndarray, "*cell"], Float[np.ndarray, "*cell"]]:
    """95 % percentile bootstrap interval of the mean over the first axis, of every cell.

    All cells share the ``n`` resamples, drawn with replacement. Without samples both ends are NaN.
    """
    size, cells = len(values), values.shape[1:]
    if not size:
        return np.full(cells, np.nan), np.full(cells, np.nan)
    # how often each sample is drawn: a matrix product then gives every resampled mean at once
    counts = rng.multinomial(size, np.full(size, 1 / size), size=n)
    means = counts @ values.reshape(size, -1).astype(np.float64) / size
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return low.reshape(cells), high.reshape(cells)


def wilson_interval(
    share: Float[np.ndarray, " row"], n: Int[np.ndarray, " row"]
) -> tuple[Float[np.ndarray, " row"], Float[np.ndarray, " row"]]:
    """95 % Wilson score interval of shares, each of ``n`` >= 1 yes-or-no outcomes."""
    spread = Z_95**2 / n
    centre = (share + spread / 2) / (1 + spread)
    half = np.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)
