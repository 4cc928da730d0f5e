"""Single neurons patched at the last position: each one's exact effect, prompt by prompt."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int, Int64
from torch import Tensor

from pipeline_lib.interventions.batching import batches
from pipeline_lib.interventions.capture import Activations
from pipeline_lib.interventions.hooks import check_finite
from pipeline_lib.interventions.patch import iter_runs
from pipeline_lib.interventions.patches import Indices, Patches
from pipeline_lib.interventions.readout import Readout
from pipeline_lib.measures.effects import indirect_effect, log_odds_change
from pipeline_lib.models.loading import LanguageModel

PATCHES_AT_ONCE = 1 << 20  # in one list, whose indices take 40 bytes each


@dataclass(frozen=True)
class PatchedNeurons:
    """Log-probabilities (nats) of the two answers of every prompt, clean and after each patch."""

    clean_r: Float64[np.ndarray, " prompt"]
    clean_cf: Float64[np.ndarray, " prompt"]
    patched_r: Float64[np.ndarray, "prompt neuron"]
    patched_cf: Float64[np.ndarray, "prompt neuron"]

    def indirect_effect(self) -> Float64[np.ndarray, "prompt neuron"]:
        """Eq. 1 of the paper, per prompt."""
        clean = self.clean_r[:, None], self.clean_cf[:, None]
        return indirect_effect(*clean, self.patched_r, self.patched_cf)

    def log_odds_change(self) -> Float64[np.ndarray, "prompt neuron"]:
        """Change of log P(r)/P(r') in nats, per prompt."""
        clean = self.clean_r[:, None], self.clean_cf[:, None]
        return log_odds_change(*clean, self.patched_r, self.patched_cf)


def patch_neurons(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    counterfactual: Activations,
    answer_ids: Int[Tensor, " prompt"],
    counterfactual_answer_ids: Int[Tensor, " prompt"],
    layers: Int64[Tensor, " neuron"],
    neurons: Int64[Tensor, " neuron"],
    *,
    batch_size: int | None = None,
) -> PatchedNeurons:
    """Patch each listed neuron alone, in every prompt, at the last position.

    The neuron's post activation takes its value in the counterfactual prompt (mlp_post at the last
    position is read). Only the last position of the layers above is run: nothing else can change,
    since no later position reads it. Raises ActivationError when a patched run gives NaN.
    """
    answers = torch.stack([answer_ids, counterfactual_answer_ids], 1).cpu().long()
    clean = torch.empty(len(tokens), 2, dtype=torch.float64)
    patched = torch.empty(len(tokens), len(neurons), 2, dtype=torch.float64)
    readout = Readout(model)
    for rows in batches(len(tokens), max(1, PATCHES_AT_ONCE // max(1, len(neurons)))):
        part, found = tokens[rows], patched[rows].view(-1, 2)
        patches = _every_neuron(model, part, layers, neurons)

        def answer(
            members: slice | Indices,
            resid: Tensor,
            asked: Tensor = answers[rows],
            prompt: Indices = patches.prompt,
        ) -> Tensor:
            at = members if isinstance(members, slice) else prompt[members]
            return readout.log_probs(resid, asked[at])

        runs = iter_runs(model, part, counterfactual.prompts(rows), patches, answer, batch_size)
        for members, log_probs in runs:
            (clean[rows] if isinstance(members, slice) else found)[members] = log_probs
        check_finite(found, f"{model.name}: logits after patching single neurons")
    pair = (*clean.unbind(-1), *patched.unbind(-1))
    return PatchedNeurons(*(values.numpy() for values in pair))


def _every_neuron(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    layers: Int64[Tensor, " neuron"],
    neurons: Int64[Tensor, " neuron"],
) -> Patches:
    """All neurons of the first prompt, then of the next."""
    prompt = torch.arange(len(tokens)).repeat_interleave(len(neurons))
    return Patches(
        prompt,
        torch.full_like(prompt, tokens.shape[1] - 1),
        layers.repeat(len(tokens)),
        torch.full_like(prompt, model.n_heads),
        neurons.repeat(len(tokens)),
    )
