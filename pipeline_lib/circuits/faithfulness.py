"""Faithfulness of circuits: everything outside them is set to its mean (definitions 5)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Float64, Int, Int64
from torch import Tensor

from pipeline_lib.circuits.curves import Curve
from pipeline_lib.circuits.sizes import BUDGET, LOGIT_BYTES
from pipeline_lib.interventions.ablate import ablate_circuits
from pipeline_lib.interventions.batching import batches
from pipeline_lib.interventions.capture import Activations
from pipeline_lib.logs import progress
from pipeline_lib.measures.faithfulness import faithfulness
from pipeline_lib.measures.logits import divergence, is_answered, normalised_logit
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.pieces import resumed
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import PROMPT_COLUMNS

MEASURED = ["curve", "size", "nl", "nl_none", "nl_model", "faithfulness", "kl", "correct"]


@dataclass(frozen=True)
class Measures:
    """What every circuit does with every prompt; the baselines keep nothing, and everything.

    nl: normalised logits; kl: divergence from the model (nats); correct: whether the answer is
    the most likely token.
    """

    nl: Float64[np.ndarray, "circuit prompt"]
    kl: Float64[np.ndarray, "circuit prompt"]
    correct: Bool[np.ndarray, "circuit prompt"]
    nl_none: Float64[np.ndarray, " prompt"]
    nl_model: Float64[np.ndarray, " prompt"]

    @property
    def faithfulness(self) -> Float64[np.ndarray, "circuit prompt"]:
        """F of every circuit and prompt (paper, equation 2)."""
        return faithfulness(self.nl, self.nl_none, self.nl_model)


def measure_circuits(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    answers: Int64[Tensor, " prompt"],
    curves: Sequence[Curve],
    means: Activations,
    *,
    budget: int = BUDGET,
) -> Measures:
    """Measures of all circuits of some curves, one after the other; outside them is mean-ablated.

    ``answers`` are token ids. Every distinct circuit runs once, the baselines too. Prompts are
    taken together as far as the logits of all circuits fit ``budget`` (bytes), so that a prompt's
    intact run is made once; only when those of a single prompt do not fit, its circuits are
    parted too.
    """
    heads, neurons, which = _distinct(curves)
    fitting = max(1, budget // (LOGIT_BYTES * model.d_vocab))
    found = torch.zeros(3, len(heads), len(tokens), dtype=torch.float64)
    parts = list(batches(len(tokens), max(1, fitting // len(heads))))

    def measured(rows: slice) -> tuple[np.ndarray]:
        reference: Tensor | None = None  # the whole model, which is the first circuit
        some = torch.zeros(3, len(heads), rows.stop - rows.start, dtype=torch.float64)
        for part in batches(len(heads), fitting):
            logits = ablate_circuits(
                model, tokens[rows], heads=heads[part], neurons=neurons[part], value=means
            )
            reference = logits[0].clone() if reference is None else reference
            some[:, part] = _measured(logits, answers[rows], reference)
        return (some.numpy(),)

    for rows, (values,) in resumed(progress(parts, "ablating circuits"), measured):
        found[:, :, rows] = torch.from_numpy(values)
    nl, kl, correct = found[:, which].numpy()
    return Measures(nl[2:], kl[2:], correct[2:].astype(bool), nl_none=nl[1], nl_model=nl[0])


def _distinct(
    curves: Sequence[Curve],
) -> tuple[
    Bool[Tensor, "distinct layer head"],
    Bool[Tensor, "distinct layer d_mlp"],
    Int64[Tensor, " circuit"],
]:
    """Masks of the circuits that differ, and which of them each is.

    Before those of the curves come the baselines: the whole model, and nothing of it.
    """
    heads, neurons = (
        torch.cat([torch.ones_like(kept[:1]), torch.zeros_like(kept[:1]), kept])
        for kept in (
            torch.cat([curve.heads for curve in curves]),
            torch.cat([curve.neurons for curve in curves]),
        )
    )
    packed = np.packbits(torch.cat([heads.flatten(1), neurons.flatten(1)], 1).numpy(), axis=1)
    first: dict[bytes, int] = {}
    which = [first.setdefault(row.tobytes(), len(first)) for row in packed]
    rows = [which.index(number) for number in range(len(first))]
    return heads[rows], neurons[rows], torch.tensor(which)


def _measured(
    logits: Float[Tensor, "circuit prompt vocab"],
    answers: Int64[Tensor, " prompt"],
    reference: Float[Tensor, "prompt vocab"],
) -> Float64[Tensor, "3 circuit prompt"]:
    every = answers.expand(len(logits), -1)
    measured = (
        normalised_logit(logits, every),
        divergence(logits, reference),
        is_answered(logits, every).double(),
    )
    return torch.stack(measured)


def tabulate_curves(
    prompts: pd.DataFrame, curves: Sequence[Curve], measures: Measures
) -> pd.DataFrame:
    """One row per (curve, size, prompt): the columns of the prompts, then `MEASURED`.

    ``prompts`` may repeat a prompt, for every seed that drew it.
    """
    n_circuits = len(measures.nl)
    table = pd.concat([prompts] * n_circuits, ignore_index=True)
    repeats = len(prompts)
    table["curve"] = np.repeat([c.name for c in curves for _ in range(len(c))], repeats)
    table["size"] = np.repeat(np.concatenate([c.sizes for c in curves]), repeats)
    for name in ("nl_none", "nl_model"):
        table[name] = np.tile(getattr(measures, name), n_circuits)
    for name in ("nl", "faithfulness", "kl", "correct"):
        table[name] = getattr(measures, name).ravel()
    return table[[*prompts.columns, *MEASURED]]


def draw_prompts(
    evaluation: pd.DataFrame,
    operator: str,
    *,
    n_prompts: int,
    seeds: Sequence[int],
    zero_answers: bool,
) -> pd.DataFrame:
    """Up to ``n_prompts`` prompts for every seed, each drawn without replacement (column seed).

    Without ``zero_answers``, prompts whose answer is 0 are left out (the authors' code). Seeds are
    independent, so a prompt may come more than once.
    """
    pool = evaluation if zero_answers else evaluation[evaluation["answer"] != 0]
    parts = []
    for seed in seeds:
        order = generator(seed, "faithfulness", operator).permutation(len(pool))[:n_prompts]
        parts.append(pool.iloc[order][PROMPT_COLUMNS].assign(seed=seed))
    return pd.concat(parts, ignore_index=True)
