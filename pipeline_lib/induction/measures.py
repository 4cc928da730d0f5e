"""P(X), its drift over orders, and its error against a counter."""

import numpy as np
from jaxtyping import Float64, Int

ORDER_AXIS = -1


def p_x(logits: Float64[np.ndarray, "*cell 2"]) -> Float64[np.ndarray, "*cell"]:
    """P(X) normalised over the two symbols, from the logits of X and Y."""
    gap = logit_difference(logits)
    return np.exp(-np.logaddexp(0.0, -gap))


def logit_difference(logits: Float64[np.ndarray, "*cell 2"]) -> Float64[np.ndarray, "*cell"]:
    """Logit of X minus logit of Y: log P(X) / P(Y), in nats."""
    return np.asarray(logits[..., 0] - logits[..., 1])


def predictive(
    n_x: Int[np.ndarray, "*cell"], n_y: Int[np.ndarray, "*cell"]
) -> Float64[np.ndarray, "*cell"]:
    """P(next = X) of a Bernoulli sequence under a Beta(1, 1) prior: (n_x + 1) / (n_x + n_y + 2)."""
    return np.asarray((n_x + 1) / (n_x + n_y + 2), dtype=np.float64)


def drift(probability: Float64[np.ndarray, "*cell order"]) -> Float64[np.ndarray, "*cell"]:
    """Largest minus smallest P(X) over orders with the same counts."""
    return np.asarray(np.ptp(probability, axis=ORDER_AXIS))


def absolute_error(
    probability: Float64[np.ndarray, "*cell order"], expected: float
) -> Float64[np.ndarray, "*cell"]:
    """Mean absolute error of P(X) to a counter's, which is the same for every order."""
    return np.asarray(np.abs(probability - expected).mean(axis=ORDER_AXIS))
