"""Prompts of any lengths through the model: residuals at the last position, by layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from pipeline_lib.bayes.readout import OutcomeTokens
from pipeline_lib.interventions import capture, lens_logits
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.stimuli.text import by_length, read_prompts, token_table


@dataclass(frozen=True)
class LastPosition:
    """What is read at the last position of prompts.

    ``resid`` leaves the ``layers``; ``logits`` are those of the candidates by layer, through the
    logit lens, ``output`` the model's own; ``mass`` is the probability of all candidates together,
    ``top`` the most probable token of the whole vocabulary.
    """

    layers: tuple[int, ...]
    resid: Float[Tensor, "prompt layer d_model"]
    logits: Float64[np.ndarray, "prompt layer candidate"]
    output: Float64[np.ndarray, "prompt candidate"]
    mass: Float64[np.ndarray, " prompt"]
    top: np.ndarray


def read_last(
    model: LanguageModel,
    texts: Sequence[str],
    outcomes: OutcomeTokens,
    layers: Sequence[int] | None = None,
) -> LastPosition:
    """Run prompts, those of one length together, and read their last position."""
    prompts = read_prompts(model.tokenizer, texts)
    numbers, parts = [], []
    for rows in by_length(prompts).values():
        tokens = token_table([prompts[row] for row in rows])
        numbers.append(rows)
        parts.append(_read(model, tokens, outcomes, layers))
    order = np.argsort(np.concatenate(numbers))
    joined: dict[str, Any] = {
        name: _join([getattr(part, name) for part in parts])[order]
        for name in ("resid", "logits", "output", "mass", "top")
    }
    return LastPosition(parts[0].layers, **joined)


def _read(
    model: LanguageModel,
    tokens: Tensor,
    outcomes: OutcomeTokens,
    layers: Sequence[int] | None,
) -> LastPosition:
    run = capture(model, tokens, ["resid_post"], layers=layers, positions=[-1])
    assert run.logits is not None
    ids = outcomes.table(len(tokens))
    chosen = run.logits.gather(1, ids).double()
    mass = (chosen - run.logits.double().logsumexp(-1, keepdim=True)).exp().sum(-1)
    return LastPosition(
        run.layers,
        run.site("resid_post")[:, 0],
        lens_logits(model, run, ids)[:, 0].numpy(),
        chosen.numpy(),
        mass.numpy(),
        run.logits.argmax(-1).numpy(),
    )


def _join(parts: list[Any]) -> Tensor | np.ndarray:
    return torch.cat(parts) if isinstance(parts[0], Tensor) else np.concatenate(parts)
