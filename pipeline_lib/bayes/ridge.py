"""Ridge regression in closed form, and how much of the variance it explains on other prompts."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from pipeline_lib.stats import ends_of

RESAMPLES = 2000


@dataclass(frozen=True)
class Ridge:
    """Linear read-outs of features, one for each target."""

    weights: Float64[np.ndarray, "feature target"]
    intercept: Float64[np.ndarray, " target"]

    def predict(self, x: Float64[np.ndarray, "row feature"]) -> Float64[np.ndarray, "row target"]:
        """Values of every target."""
        return x @ self.weights + self.intercept


def fit_ridge(
    x: Float64[np.ndarray, "row feature"], y: Float64[np.ndarray, "row target"], alpha: float
) -> Ridge:
    """Weights that minimise |y - x w - c|^2 + alpha |w|^2; the intercept c is not penalised."""
    mean_x, mean_y = x.mean(0), y.mean(0)
    a, b = x - mean_x, y - mean_y
    if len(a) < a.shape[1]:  # as many unknowns as rows, by the kernel
        weights = a.T @ np.linalg.solve(a @ a.T + alpha * np.eye(len(a)), b)
    else:
        weights = np.linalg.solve(a.T @ a + alpha * np.eye(a.shape[1]), a.T @ b)
    return Ridge(weights, mean_y - mean_x @ weights)


def predict_unseen(
    x: Float64[np.ndarray, "row feature"],
    y: Float64[np.ndarray, "row target"],
    groups: Int64[np.ndarray, " row"],
    other_x: Float64[np.ndarray, "other feature"],
    other_groups: Int64[np.ndarray, " other"],
    alpha: float,
) -> tuple[Float64[np.ndarray, "row target"], Float64[np.ndarray, "other target"]]:
    """Predictions for the rows of each group by a fit on all other groups, of x and of other rows.

    NaN for other rows whose group x does not hold, and everywhere where there is one group alone.
    """
    found = np.full(y.shape, np.nan)
    others = np.full((len(other_x), y.shape[1]), np.nan)
    every = np.unique(groups)
    for group in every if len(every) > 1 else []:
        inside = groups == group
        fit = fit_ridge(x[~inside], y[~inside], alpha)
        found[inside] = fit.predict(x[inside])
        others[other_groups == group] = fit.predict(other_x[other_groups == group])
    return found, others


def r2(
    y: Float64[np.ndarray, "row *target"], predicted: Float64[np.ndarray, "row *target"]
) -> Float64[np.ndarray, "*target"]:
    """1 - squared error / squared deviation from the mean of ``y``; NaN where y does not vary."""
    weights = np.full((1, len(y)), 1 / max(len(y), 1))
    return np.asarray(_r2(y, predicted, weights)[0])


def r2_interval(
    y: Float64[np.ndarray, " row"],
    predicted: Float64[np.ndarray, " row"],
    groups: Int64[np.ndarray, " row"],
    rng: np.random.Generator,
) -> tuple[float, float]:
    """95 % bootstrap interval over groups of rows (each row its own group: over rows)."""
    every, group = np.unique(groups, return_inverse=True)
    if len(every) < 2:
        return float("nan"), float("nan")
    drawn = rng.multinomial(len(every), np.full(len(every), 1 / len(every)), size=RESAMPLES)
    weights = drawn[:, group].astype(np.float64)
    low, high = ends_of(_r2(y, predicted, weights / weights.sum(1, keepdims=True)))
    return float(low), float(high)


def _r2(
    y: np.ndarray, predicted: np.ndarray, weights: Float64[np.ndarray, "draw row"]
) -> Float64[np.ndarray, "draw *target"]:
    error = weights @ (y - predicted) ** 2
    centred = y - y.mean(0)  # the variance then rounds less
    variance = weights @ centred**2 - (weights @ centred) ** 2
    defined = np.where(variance > 1e-15, variance, np.nan)
    return np.asarray(1 - error / defined)
