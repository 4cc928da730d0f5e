"""Subspaces of the residual stream that may carry a number, and patches of them alone."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

States = Float[np.ndarray, "number d_model"]
Subspace = Float[np.ndarray, "d_model dimension"]


def fitted_subspace(basis: Float[np.ndarray, "number parameter"], states: States) -> Subspace:
    """Orthonormal basis of the directions along which a least-squares fit moves the residual."""
    centred = states.astype(np.float64) - states.mean(axis=0, dtype=np.float64)
    weight = np.linalg.lstsq(basis - basis.mean(axis=0), centred, rcond=None)[0]
    _, sizes, directions = np.linalg.svd(weight, full_matrices=False)
    return directions[sizes > 1e-9 * max(float(sizes.max(initial=0.0)), 1e-30)].T


def principal_subspace(states: States, dimension: int) -> Subspace:
    """The directions in which the residuals vary most."""
    centred = states.astype(np.float64) - states.mean(axis=0, dtype=np.float64)
    return np.linalg.svd(centred, full_matrices=False)[2][:dimension].T


def random_subspace(d_model: int, dimension: int, rng: np.random.Generator) -> Subspace:
    """A subspace drawn uniformly among all of its dimension."""
    return np.linalg.qr(rng.normal(size=(d_model, min(dimension, d_model))))[0]


def moved_within(
    clean: Float[Tensor, "prompt d_model"],
    other: Float[Tensor, "prompt d_model"],
    subspace: Subspace,
) -> Float[Tensor, "prompt d_model"]:
    """``clean`` with its component in the subspace replaced by that of ``other``."""
    directions = torch.from_numpy(subspace).to(clean)
    return clean + (other - clean) @ directions @ directions.T
