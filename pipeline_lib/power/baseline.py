"""First of all: what the model answers to every prompt, before anything is patched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from pipeline_lib.interventions import candidate_logits, capture
from pipeline_lib.logs import progress
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.power.measure import log_ratio, status_of
from pipeline_lib.power.prompts import PairPrompts
from pipeline_lib.power.regions import regions_of
from pipeline_lib.stimuli.text import TextPrompt, by_length, single_tokens, token_table
from pipeline_lib.sweeps import noise_floor

NOISE_PROMPTS = 24
"""Prompts on which the noise floor is measured."""
TOKEN_COLUMNS = ["line", "place", "source", "base", "region"]


@dataclass(frozen=True)
class Answers:
    """Candidate tokens: the variants of TRUE, then those of FALSE."""

    ids: Int64[Tensor, " candidate"]
    n_true: int

    @classmethod
    def of(cls, model: LanguageModel, true: Sequence[str], false: Sequence[str]) -> "Answers":
        """Those variants that are one token; TokenizerError where an answer has none."""
        found = single_tokens(model.tokenizer, {"TRUE": true, "FALSE": false})
        return cls(torch.tensor(found["TRUE"] + found["FALSE"]), len(found["TRUE"]))

    def of_prompts(self, n: int) -> Int64[Tensor, "prompt candidate"]:
        """The same candidates for each of n prompts."""
        return self.ids.expand(n, -1)

    def measure(
        self, logits: Float64[np.ndarray, "*cell candidate"]
    ) -> Float64[np.ndarray, "*cell"]:
        """`log_ratio` of these candidates' logits."""
        return log_ratio(logits, self.n_true)


def answer(
    model: LanguageModel, prompts: Sequence[TextPrompt], answers: Answers
) -> tuple[Float64[np.ndarray, " prompt"], Float64[np.ndarray, " prompt"]]:
    """Log-ratio (nats) of each prompt, and the probability of all variants of TRUE and FALSE."""
    ratio, mass = np.zeros(len(prompts)), np.zeros(len(prompts))
    for rows in progress(list(by_length(prompts).values()), "answers", unit="lengths"):
        tokens = token_table([prompts[i] for i in rows])
        run = capture(model, tokens, ("resid_post",), layers=[model.n_layers - 1], positions=[-1])
        assert run.logits is not None
        logits = run.logits.double()
        chosen = logits[:, answers.ids]
        ratio[rows] = answers.measure(chosen.numpy())
        mass[rows] = (chosen.logsumexp(1) - logits.logsumexp(1)).exp().numpy()
    return ratio, mass


def measure_floor(
    model: LanguageModel,
    prompts: Sequence[TextPrompt],
    found: Float64[np.ndarray, " prompt"],
    answers: Answers,
) -> float:
    """Noise floor of the log-ratio (nats) on some prompts of the most common lengths.

    The largest difference between prompts run together and one by one, and between the engine that
    patches and the model's own forward pass, which gave ``found``.
    """
    groups = sorted(by_length(prompts).values(), key=len, reverse=True)
    differences, left = [0.0], NOISE_PROMPTS
    for group in groups:
        rows = group[:left]
        tokens, ids = token_table([prompts[i] for i in rows]), answers.of_prompts(len(rows))
        differences.append(noise_floor(model, tokens, ids, answers.measure))
        engine = answers.measure(candidate_logits(model, tokens, ids).numpy())
        differences.append(float(np.abs(engine - found[rows]).max()))
        left -= len(rows)
        if not left:
            break
    return max(differences)


def pair_table(
    model: LanguageModel,
    pairs: pd.DataFrame,
    prompts: Sequence[PairPrompts],
    answers: Answers,
    settings: Mapping[str, str],
) -> tuple[pd.DataFrame, float]:
    """Every pair with the model's answers to both prompts and its status, and the noise floor.

    ``settings``: ``alignment`` and ``swept`` (see `status_of`). Raises ActivationError for NaN or
    infinite logits.
    """
    both = {"source": [p.source for p in prompts], "base": [p.base for p in prompts]}
    found = {}
    for run, texts in both.items():
        found[run], found[f"{run}_mass"] = answer(model, texts, answers)
        found[f"{run}_tokens"] = np.array([len(text) for text in texts])
    floor = measure_floor(model, both["base"], found["base"], answers)
    taken = {name: f"{name}_given" for name in [*found, "status"] if name in pairs}
    table = pairs.rename(columns=taken).assign(**found)
    return table.assign(status=status_of(table, floor, **settings)), floor


def token_rows(model: LanguageModel, prompts: Sequence[PairPrompts]) -> pd.DataFrame:
    """Every token that is swept: line of its pair, place from the end, its text, its region."""
    rows = []
    for pair in prompts:
        tokens = pair.tokens(model.tokenizer)
        for token, region in zip(tokens, regions_of(tokens), strict=True):
            rows.append((pair.line, token.place, token.source, token.base, region))
    return pd.DataFrame(rows, columns=TOKEN_COLUMNS)
