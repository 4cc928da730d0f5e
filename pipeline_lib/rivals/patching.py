"""What a subspace carries: how far, patched alone, it moves the answer to another one.

Pairs of prompts differ in operand 1 alone. At operand 1 or at "=", the component of the residual in
a subspace is replaced by that of the other prompt (definitions 15).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from pipeline_lib.interventions import Activations, Patches, capture, patch_log_probs
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.rivals.subspaces import Subspace, moved_within
from pipeline_lib.stats import bootstrap_ratio_interval

PATCH_COLUMNS = ["subspace", "dimension", "recovery", "low", "high", "pairs"]
PAIR_COLUMNS = ["operator", "a", "b", "answer", "cf_a", "cf_answer"]


def draw_pairs(prompts: pd.DataFrame, n_pairs: int, rng: np.random.Generator) -> pd.DataFrame:
    """Up to ``n_pairs`` prompts, each with another first operand that changes its answer.

    Both prompts of a pair are of the table; no prompt is the first of two pairs.
    """
    same_b = dict(list(prompts.groupby("b")))
    rows = []
    for place in rng.permutation(len(prompts)):
        clean = prompts.iloc[place]
        others = same_b[clean["b"]]
        others = others[others["answer"] != clean["answer"]]
        if len(others):
            other = others.iloc[rng.integers(len(others))]
            rows.append((*clean[PAIR_COLUMNS[:4]], other["a"], other["answer"]))
        if len(rows) == n_pairs:
            break
    return pd.DataFrame(rows, columns=PAIR_COLUMNS)


def other_prompts(pairs: pd.DataFrame) -> pd.DataFrame:
    """The prompts whose residuals are patched in."""
    return pairs.assign(a=pairs["cf_a"], answer=pairs["cf_answer"])[PAIR_COLUMNS[:4]]


class SubspacePatcher:
    """Pairs of prompts at one position: their residuals, and answers before and after patches."""

    def __init__(
        self,
        model: LanguageModel,
        tokens: Int64[Tensor, "prompt token"],
        other: Int64[Tensor, "prompt token"],
        answer_ids: Int64[Tensor, "prompt 2"],
        position: int,
        layers: Sequence[int],
    ) -> None:
        self.model, self.tokens, self.answer_ids = model, tokens, answer_ids
        self.clean, self.other = (
            capture(model, part, ["resid_post"], layers=layers, positions=[position])
            for part in (tokens, other)
        )
        before, after = (_log_odds(run, answer_ids) for run in (self.clean, self.other))
        self.before, self.whole = before, after - before

    def changes(
        self, subspaces: Mapping[int, Subspace | None]
    ) -> Float64[np.ndarray, "layer prompt"]:
        """Change of log P(r') / P(r), in nats, by a patch of a subspace, for each of some layers.

        None patches the whole residual.
        """
        layers, n = list(subspaces), len(self.tokens)
        values = self.other.site("resid_post").clone()
        for layer, subspace in subspaces.items():
            place = self.other.layers.index(layer)
            if subspace is not None:
                clean = self.clean.site("resid_post")[:, 0, place]
                values[:, 0, place] = moved_within(clean, values[:, 0, place], subspace)
        source = Activations(
            self.other.tokens, self.other.positions, self.other.layers, resid_post=values
        )
        patches = Patches(
            prompt=torch.arange(n).repeat(len(layers)),
            position=torch.full((n * len(layers),), self.other.positions[0]),
            layer=torch.tensor(layers).repeat_interleave(n),
            component=torch.full((n * len(layers),), self.model.n_heads + 1),
        )
        found = patch_log_probs(
            self.model, self.tokens, source, patches, *self.answer_ids.unbind(1)
        )
        odds = (found[:, 1] - found[:, 0]).reshape(len(layers), n).numpy()
        return odds - self.before


def _log_odds(
    run: Activations, answer_ids: Int64[Tensor, "prompt 2"]
) -> Float64[np.ndarray, " prompt"]:
    """Log P(r') / P(r) of a run, in nats."""
    assert run.logits is not None
    chosen = run.logits.gather(1, answer_ids).double()
    return (chosen[:, 1] - chosen[:, 0]).numpy()


def recovery(
    change: Float[np.ndarray, " prompt"],
    whole: Float[np.ndarray, " prompt"],
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """Mean change over the mean change to the other prompt, with its 95 % bootstrap interval."""
    low, high = bootstrap_ratio_interval(change, whole, rng)
    return float(change.sum() / whole.sum()), low, high
