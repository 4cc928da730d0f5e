"""Lists of patches: which component of which prompt, at which layer and position."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Int, Int64
from torch import Tensor

from pipeline_lib.models.loading import LanguageModel

Indices = Int64[Tensor, " patch"]


@dataclass(frozen=True)
class Patches:
    """A list of patches, each of one component of one prompt at one layer.

    ``position`` is one token position a patch, or several, at which it is made together.
    ``component`` is a head's number, ``n_heads`` for the MLP, or ``n_heads + 1`` for the residual
    leaving the layer, which layer -1 has too: what enters the first. ``neuron``, where given and
    not -1, restricts an MLP patch to one neuron. ``source``, where given, is the row of the source
    activations whose values are patched in; without it a prompt gets the values of its own row.
    """

    prompt: Indices
    position: Indices | Int64[Tensor, "patch several"]
    layer: Indices
    component: Indices
    neuron: Indices | None = None
    source: Indices | None = None

    def __len__(self) -> int:
        return len(self.prompt)

    def __getitem__(
        self, chosen: slice | Bool[Tensor, " patch"] | Int64[Tensor, " chosen"]
    ) -> "Patches":
        neuron = None if self.neuron is None else self.neuron[chosen]
        source = None if self.source is None else self.source[chosen]
        return Patches(
            self.prompt[chosen],
            self.position[chosen],
            self.layer[chosen],
            self.component[chosen],
            neuron,
            source,
        )

    @property
    def source_row(self) -> Indices:
        """Row of the source activations that each patch takes its values from."""
        return self.prompt if self.source is None else self.source

    @property
    def first_position(self) -> Indices:
        """First position of each patch."""
        return self.position if self.position.ndim == 1 else self.position.amin(1)

    @property
    def last_position(self) -> Indices:
        """Last position of each patch."""
        return self.position if self.position.ndim == 1 else self.position.amax(1)

    def at_single_positions(self) -> "Patches":
        """The same as one entry for each patch and position, the positions of a patch in a row."""
        if self.position.ndim == 1:
            return self
        several = self.position.shape[1]
        row = torch.arange(len(self)).repeat_interleave(several)
        return replace(self[row], position=self.position.flatten())

    def shifted(self, prompts: int) -> "Patches":
        """The same with ``prompts`` added to every prompt's number."""
        return replace(self, prompt=self.prompt + prompts)


def all_patches(
    n_prompts: int, positions: Sequence[int], layers: Sequence[int], n_components: int
) -> Patches:
    """Every (layer, component, position, prompt), in this order, the last index fastest."""
    layer, component, position, prompt = torch.meshgrid(
        torch.tensor(layers, dtype=torch.int64),
        torch.arange(n_components),
        torch.tensor(positions, dtype=torch.int64),
        torch.arange(n_prompts),
        indexing="ij",
    )
    return Patches(prompt.ravel(), position.ravel(), layer.ravel(), component.ravel())


def known_zero(
    model: LanguageModel,
    patches: Patches,
    tokens: Int[Tensor, "prompt token"],
    counterfactual_tokens: Int[Tensor, "prompt token"],
) -> Bool[Tensor, " patch"]:
    """Which patches change nothing by construction.

    These are the last layer before the last position, which nothing reads, and positions up to
    which clean and counterfactual prompt are the same text.
    """
    unread = (patches.layer == model.n_layers - 1) & (patches.last_position < tokens.shape[1] - 1)
    pairs, pair = torch.stack([patches.prompt, patches.source_row]).unique(
        dim=1, return_inverse=True
    )
    same = (tokens.cpu()[pairs[0]] == counterfactual_tokens.cpu()[pairs[1]]).cumprod(1).bool()
    return unread | same[pair, patches.last_position]
