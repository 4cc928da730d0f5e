"""Circuits of growing size: which heads and neurons each of them keeps (definitions 5)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pipeline_lib.circuits.ranking import Head


@dataclass(frozen=True)
class Curve:
    """Circuits of one family, one a size, ascending; True is kept.

    ``sizes`` count what grows: heads, or neurons of a layer.
    """

    name: str
    sizes: Int[np.ndarray, " circuit"]
    heads: Bool[Tensor, "circuit layer head"]
    neurons: Bool[Tensor, "circuit layer d_mlp"]

    def __len__(self) -> int:
        return len(self.sizes)


def places(values: Float[np.ndarray, "*layer unit"]) -> Int[np.ndarray, "*layer unit"]:
    """Each unit's place (0: the largest value) among those of its layer; ties by index."""
    order = np.argsort(-values, axis=-1, kind="stable")
    return np.argsort(order, axis=-1, kind="stable")


def head_mask(
    heads: Sequence[Head], shape: tuple[int, int], n_circuits: int
) -> Bool[Tensor, "circuit layer head"]:
    """The same heads of [layer, head] in every circuit."""
    mask = torch.zeros(n_circuits, *shape, dtype=torch.bool)
    for head in heads:
        mask[:, head.layer, head.head] = True
    return mask


def first_heads(
    ranked: Sequence[Head], sizes: Sequence[int], shape: tuple[int, int], d_mlp: int
) -> Curve:
    """All MLPs and the first n of the ranked heads, n of ``sizes``; shape [layer, head]."""
    masks = [head_mask(ranked[:size], shape, 1) for size in sizes]
    kept = torch.cat(masks) if masks else torch.zeros(0, *shape, dtype=torch.bool)
    neurons = torch.ones(len(sizes), shape[0], d_mlp, dtype=torch.bool)
    return Curve("heads", np.array(sizes, dtype=np.int64), kept, neurons)


def top_neurons_of_late_layers(
    heads: Sequence[Head],
    n_heads: int,
    importance: Float[np.ndarray, "layer neuron"],
    sizes: Int[np.ndarray, " size"],
    *,
    first_late_layer: int,
) -> Curve:
    """The heads, whole early MLPs and the k most important neurons of every late layer.

    ``n_heads`` are the heads of a layer; late layers start at ``first_late_layer``.
    """
    neurons = torch.from_numpy(places(importance) < sizes[:, None, None])
    neurons[:, :first_late_layer] = True
    kept = head_mask(heads, (len(importance), n_heads), len(sizes))
    return Curve("neurons", sizes, kept, neurons)


def top_neurons_of_mlp0(
    heads: Sequence[Head],
    n_heads: int,
    importance: Float[np.ndarray, "layer neuron"],
    importance_mlp0: Float[np.ndarray, " neuron"],
    sizes: Int[np.ndarray, " size"],
    *,
    first_late_layer: int,
    late_share: float,
) -> Curve:
    """The same with a fixed share of every late layer's neurons, and the top k of the first MLP.

    ``late_share`` of the neurons, rounded up.
    """
    late = np.array([np.ceil(late_share * importance.shape[1] - 1e-9)], dtype=np.int64)
    fixed = top_neurons_of_late_layers(
        heads, n_heads, importance, late, first_late_layer=first_late_layer
    )
    neurons = fixed.neurons.repeat(len(sizes), 1, 1)
    neurons[:, 0] = torch.from_numpy(places(importance_mlp0) < sizes[:, None])
    return Curve("mlp0", sizes, fixed.heads.repeat(len(sizes), 1, 1), neurons)
