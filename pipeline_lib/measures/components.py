"""Principal components: vectors of many prompts as points of a plane."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Plane:
    """The first two principal components: places of the prompts, share of variance of each."""

    places: Float[np.ndarray, "prompt 2"]
    explained: Float[np.ndarray, " 2"]


def principal_plane(vectors: Float[np.ndarray, "prompt dim"]) -> Plane:
    """Vectors, centred, on their first two principal components, in the vectors' units.

    The sign of a component is free: its largest entry is positive. What does not exist is 0, such
    as the second component of vectors on a line; shares of no variance at all are NaN.
    """
    if not len(vectors):
        return Plane(np.zeros((0, 2)), np.full(2, np.nan))
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, scale, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    axes = axes * np.where(largest < 0, -1.0, 1.0)
    total = (scale**2).sum()
    places, explained = np.zeros((len(vectors), 2)), np.zeros(2)
    places[:, : len(axes)] = centred @ axes.T
    explained[: len(axes)] = scale[:2] ** 2
    return Plane(places, explained / total if total > 0 else np.full(2, np.nan))
