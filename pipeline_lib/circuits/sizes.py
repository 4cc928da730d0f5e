"""How many circuits are tested, and with how much memory; without torch, for plans."""

import numpy as np
from jaxtyping import Int

BUDGET = 256 * 2**20  # bytes of logits and of what is computed from them
LOGIT_BYTES = 4 * 8  # a logit, the same in float64, and two logarithms


def log_sizes(largest: int, n_points: int) -> Int[np.ndarray, " size"]:
    """0, then up to ``n_points`` whole numbers from 1 to ``largest``, evenly spaced in logarithm.

    Those that round to the same number are one.
    """
    spaced = np.geomspace(1, largest, n_points).round().astype(np.int64)
    return np.unique(np.concatenate([[0], spaced, [largest]]))
