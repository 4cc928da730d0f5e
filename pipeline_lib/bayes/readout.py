"""The one readout of the study: P(X) among the tokens that stand for X and for Y."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from pipeline_lib.stimuli.text import single_tokens

VARIANTS = (" {}", "{}", "\n{}")
"""How an outcome may be written after the prompt; those of one token count."""


@dataclass(frozen=True)
class OutcomeTokens:
    """Tokens of the two outcomes; candidates of every prompt are those of X, then those of Y."""

    x: tuple[int, ...]
    y: tuple[int, ...]

    @classmethod
    def measure(
        cls, tokenizer: PreTrainedTokenizerBase, outcomes: Sequence[str]
    ) -> "OutcomeTokens":
        """Raises TokenizerError for an outcome without a token of its own, or a shared one."""
        variants = {name: [form.format(name) for form in VARIANTS] for name in outcomes}
        found = single_tokens(tokenizer, variants)
        x, y = (tuple(found[name]) for name in outcomes)
        return cls(x, y)

    def table(self, n: int) -> Int64[Tensor, "prompt candidate"]:
        """The candidates of ``n`` prompts."""
        return torch.tensor([*self.x, *self.y], dtype=torch.int64).expand(n, -1).contiguous()

    def log_odds(self, logits: Float64[np.ndarray, "*cell candidate"]) -> np.ndarray:
        """Log P(X) / P(Y), in nats, each the sum over its variants."""
        n = len(self.x)
        x, y = logits[..., :n], logits[..., n:]
        return np.logaddexp.reduce(x, axis=-1) - np.logaddexp.reduce(y, axis=-1)

    def p_x(self, logits: Float64[np.ndarray, "*cell candidate"]) -> np.ndarray:
        """P(X) / (P(X) + P(Y)) from the candidates' logits."""
        return share_of(self.log_odds(logits))


def share_of(log_odds: np.ndarray) -> np.ndarray:
    """Probability with these log-odds."""
    return np.exp(-np.logaddexp(0.0, -np.asarray(log_odds, dtype=np.float64)))
