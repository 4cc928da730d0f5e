"""Softmax classifiers trained side by side: many probes, the same prompts in the same order."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

MIN_SCALE = 1e-6
"""Directions that vary less than this over the training prompts are not blown up."""


@dataclass(frozen=True)
class ProbeSettings:
    """How probes are trained; the defaults are the paper's.

    ``standardize`` shifts and scales every direction to mean 0 and standard deviation 1 over the
    training prompts first. The probe stays linear in the activations, but how far it comes in
    ``epochs`` then no longer depends on their size, which grows from layer to layer.
    """

    epochs: int = 20
    learning_rate: float = 3e-4
    batch: int = 32
    standardize: bool = False


def batch_order(n_train: int, epochs: int, rng: np.random.Generator) -> Int[np.ndarray, "epoch n"]:
    """Order of the training rows in every epoch; drawn once, used for all layers and positions."""
    order = [rng.permutation(n_train) for _ in range(epochs)]
    return np.array(order, dtype=np.int64).reshape(epochs, n_train)


def standardized(
    x: Float[Tensor, "probe prompt d_model"], train: Int[Tensor, " train"]
) -> Float[Tensor, "probe prompt d_model"]:
    """Every direction of every probe with mean 0 and deviation 1 over the training prompts."""
    seen = x[:, train]
    scale = seen.std(1, correction=0, keepdim=True).clamp_min(MIN_SCALE)
    return (x - seen.mean(1, keepdim=True)) / scale


def train_probes(
    x: Float[Tensor, "probe train d_model"],
    labels: Int[Tensor, " train"],
    n_numbers: int,
    order: Int[np.ndarray, "epoch train"],
    settings: ProbeSettings,
) -> tuple[Float[Tensor, "probe d_model number"], Float[Tensor, "probe 1 number"]]:
    """Weights and biases after training every probe on the mean cross-entropy of each batch.

    The loss is convex, so probes start at zero: nothing depends on an initial draw, and a number
    that is no training label is never the one with the largest logit. The gradient is written
    out, (softmax - one-hot) times the input, which saves the one of the input.
    """
    weight = x.new_zeros(len(x), x.shape[-1], n_numbers)
    bias = x.new_zeros(len(x), 1, n_numbers)
    optimizer = torch.optim.Adam([weight, bias], lr=settings.learning_rate, fused=True)
    for epoch in torch.from_numpy(order).to(x.device):
        for rows in epoch.split(settings.batch):
            inputs, place = x[:, rows], torch.arange(len(rows), device=x.device)
            error = torch.baddbmm(bias, inputs, weight).softmax(-1)
            error[:, place, labels[rows]] -= 1
            error /= len(rows)
            weight.grad = inputs.transpose(1, 2) @ error
            bias.grad = error.sum(1, keepdim=True)
            optimizer.step()
    return weight, bias


def guesses(
    x: Float[Tensor, "probe test d_model"],
    weight: Float[Tensor, "probe d_model number"],
    bias: Float[Tensor, "probe 1 number"],
    rows: int = 256,
) -> Int[np.ndarray, "probe test"]:
    """Number with the largest logit for every probe and prompt, ``rows`` prompts at a time."""
    parts = [torch.baddbmm(bias, part, weight).argmax(-1) for part in x.split(rows, dim=1)]
    return torch.cat(parts, dim=1).cpu().numpy()
