"""How rare a neuron's evidence is among maps that mean nothing."""

import numpy as np
from jaxtyping import Float

EULER = 0.5772156649015329
PERFECT = 1 - 1e-7
"""More evidence counts as this much, so that the likelihood ratio stays finite."""


def tail_probability(
    observed: float, null: Float[np.ndarray, " draw"], safety: float = 1.0
) -> float:
    """Share of null maps with as much evidence, theirs times ``safety``; 1 without any evidence.

    Where none of them has, the tail of a Gumbel distribution with their mean and variance: the
    largest of many correlations is distributed like that. 1 without null maps.
    """
    if not len(null) or observed <= 0:
        return 1.0
    found, drawn = _likelihood_ratio(np.array([observed]))[0], safety * _likelihood_ratio(null)
    exceeding = int((drawn >= found).sum())
    share = (1 + exceeding) / (1 + len(drawn))
    width = drawn.std() * np.sqrt(6) / np.pi
    if exceeding or not width:
        return share
    mode = drawn.mean() - EULER * width
    return float(min(share, -np.expm1(-np.exp(-(found - mode) / width))))


def _likelihood_ratio(evidence: Float[np.ndarray, " draw"]) -> Float[np.ndarray, " draw"]:
    """-log(1 - R²), twice the log-likelihood ratio per prompt; finite for a perfect match."""
    return -np.log1p(-np.minimum(evidence, PERFECT))
