"""The grid of a sweep: places of every prompt times layers times components."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from pipeline_lib.interventions import Activations, Patches, patch_candidates
from pipeline_lib.models.loading import LanguageModel

ABSENT = -1


@dataclass(frozen=True)
class Grid:
    """What is patched: at each place of each prompt, in every layer, every component.

    A place is one token position or several that are patched together; ``positions`` repeats one
    of them to fill up, and is ``ABSENT`` throughout where a prompt lacks the place. Components are
    numbered as in `Patches`: heads, the MLP (n_heads), the residual (n_heads + 1).
    """

    positions: Int64[np.ndarray, "prompt place several"]
    layers: tuple[int, ...]
    components: tuple[int, ...]

    @classmethod
    def of(
        cls,
        places: Sequence[Sequence[Sequence[int]]],
        layers: Sequence[int],
        components: Sequence[int],
    ) -> "Grid":
        """From the positions of each prompt's places; an empty place is absent."""
        widest = max((len(p) for prompt in places for p in prompt), default=1) or 1
        rows = [
            [[*p, *[p[-1]] * (widest - len(p))] if p else [ABSENT] * widest for p in prompt]
            for prompt in places
        ]
        shape = (len(places), len(places[0]) if places else 0, widest)
        positions = np.array(rows, dtype=np.int64).reshape(shape)
        return cls(positions, tuple(layers), tuple(components))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Prompts, places, layers, components."""
        return (*self.positions.shape[:2], len(self.layers), len(self.components))

    def is_there(self) -> Bool[np.ndarray, "prompt place layer component"]:
        """Which cells exist."""
        there = self.positions[:, :, 0] != ABSENT
        return np.broadcast_to(there[:, :, None, None], self.shape).copy()

    def patches(self) -> Patches:
        """The cells that exist, in the order of the axes."""
        prompt, place, layer, component = np.nonzero(self.is_there())
        at = torch.from_numpy(self.positions[prompt, place])
        return Patches(
            prompt=torch.from_numpy(prompt),
            position=at[:, 0] if at.shape[1] == 1 else at,
            layer=torch.tensor(self.layers, dtype=torch.int64)[torch.from_numpy(layer)],
            component=torch.tensor(self.components, dtype=torch.int64)[torch.from_numpy(component)],
        )


@dataclass(frozen=True)
class Swept:
    """Logits of the candidates before and after every patch; NaN where a place is absent."""

    before: Float64[np.ndarray, "prompt candidate"]
    after: Float64[np.ndarray, "prompt place layer component candidate"]


def sweep(
    model: LanguageModel,
    tokens: Int64[Tensor, "prompt token"],
    source: Activations,
    grid: Grid,
    token_ids: Int64[Tensor, "prompt candidate"],
    *,
    skip_known: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Swept:
    """Run every patch of a grid in prompts of one length (see `patch_candidates`)."""
    patches = grid.patches()
    before, after = patch_candidates(
        model, tokens, source, patches, token_ids, skip_known=skip_known, progress=progress
    )
    table = np.full((*grid.shape, token_ids.shape[1]), np.nan)
    table[grid.is_there()] = after.numpy()
    return Swept(before.numpy(), table)
