"""Linear probes for a class by ridge regression on one-hot labels; their singular directions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int

States = Float[np.ndarray, "prompt d_model"]
Labels = Int[np.ndarray, " prompt"]


@dataclass(frozen=True)
class RidgeProbe:
    """score = (x - mean) W + bias, W = directions diag(sizes) outputs^T, largest size first."""

    mean: Float64[np.ndarray, " d_model"]
    bias: Float64[np.ndarray, " label"]
    directions: Float64[np.ndarray, "d_model rank"]
    sizes: Float64[np.ndarray, " rank"]
    outputs: Float64[np.ndarray, "label rank"]

    @property
    def rank(self) -> int:
        """Directions that the probe reads."""
        return int((self.sizes > 1e-9 * max(float(self.sizes.max(initial=0.0)), 1e-30)).sum())

    def predict(self, states: States, rank: int | None = None) -> Int[np.ndarray, " prompt"]:
        """Most probable label, reading only the ``rank`` largest singular directions."""
        part = slice(0, rank)
        read = (states - self.mean) @ self.directions[:, part] * self.sizes[part]
        return np.argmax(read @ self.outputs[:, part].T + self.bias, axis=1)


def fit_ridge(states: States, labels: Labels, n_labels: int, ridge: float) -> RidgeProbe:
    """Least squares on one-hot labels with a penalty of ``ridge`` times the mean variance."""
    x = states.astype(np.float64)
    y = np.eye(n_labels)[labels]
    mean, bias = x.mean(axis=0), y.mean(axis=0)
    x, y = x - mean, y - bias
    gram = x @ x.T
    penalty = ridge * np.trace(gram) / x.shape[1] + 1e-12
    # the dual form: as many equations as prompts
    weight = x.T @ np.linalg.solve(gram + penalty * np.eye(len(x)), y)
    directions, sizes, outputs = np.linalg.svd(weight, full_matrices=False)
    return RidgeProbe(mean, bias, directions, sizes, outputs.T)


def cross_validated(
    states: States,
    labels: Labels,
    folds: Int[np.ndarray, " prompt"],
    ranks: Sequence[int],
    *,
    ridge: float,
    shuffled: np.random.Generator | None = None,
) -> Float64[np.ndarray, "rank prompt"]:
    """Whether each prompt's label is predicted by a probe of the other folds, for every rank.

    ``shuffled`` permutes the labels that the probes are fitted to: a control.
    """
    right = np.zeros((len(ranks), len(labels)))
    n_labels = int(labels.max()) + 1
    for fold in np.unique(folds):
        test = folds == fold
        taught = labels[~test]
        taught = taught if shuffled is None else shuffled.permutation(taught)
        probe = fit_ridge(states[~test], taught, n_labels, ridge)
        for row, rank in enumerate(ranks):
            right[row, test] = probe.predict(states[test], rank) == labels[test]
    return right
