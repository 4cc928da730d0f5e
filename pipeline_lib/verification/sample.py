"""What a self-test is run on: a few prompt pairs, and a random sample of patches."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from pipeline_lib.errors import PromptError
from pipeline_lib.interventions.patches import Patches


@dataclass(frozen=True)
class PromptPairs:
    """Tokens and answer tokens of clean prompts and their counterfactuals, which end alike.

    ``positions`` are the columns that are patched. Raises PromptError when there is no pair.
    """

    tokens: Int64[Tensor, "prompt token"]
    counterfactual_tokens: Int64[Tensor, "prompt token"]
    answer_ids: Int64[Tensor, " prompt"]
    counterfactual_answer_ids: Int64[Tensor, " prompt"]
    positions: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.tokens):
            raise PromptError(
                "There is no prompt pair to test the engine with.",
                hint="No operator has a correct prompt: choose another model or operand range.",
            )

    def __len__(self) -> int:
        return len(self.tokens)


def draw_patches(
    n_patches: int,
    *,
    n_prompts: int,
    positions: tuple[int, ...],
    n_layers: int,
    n_heads: int,
    rng: np.random.Generator,
) -> Patches:
    """Random patches that represent everything: a head and the MLP of every layer, all positions.

    So there are at least 2 n_layers of them, and one of each position, however few are asked for.
    """
    count = max(n_patches, 2 * n_layers, len(positions))
    layer, is_mlp = np.divmod(_shuffled(2 * n_layers, count, rng), 2)
    component = np.where(is_mlp == 1, n_heads, _shuffled(n_heads, count, rng))
    position = np.array(positions)[_shuffled(len(positions), count, rng)]
    prompt = _shuffled(n_prompts, count, rng)
    columns = (prompt, position, layer, component)
    return Patches(*(torch.from_numpy(column.astype(np.int64)) for column in columns))


def _shuffled(n_values: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` draws from 0..n_values-1, each value once before any comes again."""
    rounds = -(-count // n_values)
    return np.concatenate([rng.permutation(n_values) for _ in range(rounds)])[:count]


def silent_patches(
    n_prompts: int, positions: tuple[int, ...], n_layers: int, n_heads: int
) -> Patches:
    """Patches that nothing reads: every component of the last layer before the last position."""
    earlier = torch.tensor(positions[:-1], dtype=torch.int64)
    component = torch.arange(n_heads + 1).repeat_interleave(len(earlier))
    position = earlier.repeat(n_heads + 1)
    prompt = torch.arange(len(position)) % n_prompts
    return Patches(prompt, position, torch.full_like(position, n_layers - 1), component)
