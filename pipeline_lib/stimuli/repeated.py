"""Random tokens, and the same tokens again: what an induction head continues."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from pipeline_lib.errors import TokenizerError
from pipeline_lib.stimuli.text import beginning


@dataclass(frozen=True)
class RepeatedTokens:
    """Sequences [BOS] t_1 ... t_n t_1 ... t_n, in which no token occurs a third time."""

    tokens: Int64[Tensor, "sequence token"]
    n_before: int
    """Tokens before the first random one: 1 with a BOS, else 0."""
    n_repeated: int
    """Length n of what is repeated."""

    @property
    def second(self) -> Int64[np.ndarray, " n"]:
        """Positions of the second occurrences."""
        return self.n_before + self.n_repeated + np.arange(self.n_repeated)

    @property
    def after_first(self) -> Int64[np.ndarray, " n"]:
        """For each of them, the position after the token's first occurrence."""
        return self.second - self.n_repeated + 1


def repeated_tokens(
    tokenizer: PreTrainedTokenizerBase,
    n_sequences: int,
    n_repeated: int,
    rng: np.random.Generator,
    *,
    prepend_bos: bool = True,
) -> RepeatedTokens:
    """Draw sequences of different ordinary tokens, each sequence twice in a row.

    Raises TokenizerError for a vocabulary with fewer ordinary tokens than ``n_repeated``, or
    without a beginning token that is to be prepended.
    """
    special = set(tokenizer.all_special_ids)
    ordinary = np.array([i for i in range(len(tokenizer)) if i not in special], dtype=np.int64)
    if len(ordinary) < n_repeated:
        raise TokenizerError(
            "The vocabulary has fewer tokens than are to be repeated.",
            where=tokenizer.name_or_path,
            value=f"{len(ordinary)} ordinary tokens, induction.repeated_tokens = {n_repeated}",
            hint="Lower induction.repeated_tokens.",
        )
    half = np.stack([rng.choice(ordinary, n_repeated, replace=False) for _ in range(n_sequences)])
    parts = [half, half]
    if prepend_bos:
        parts.insert(0, np.full((n_sequences, 1), beginning(tokenizer)))
    return RepeatedTokens(torch.from_numpy(np.hstack(parts)), int(prepend_bos), n_repeated)
