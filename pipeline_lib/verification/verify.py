"""The self-test of the patching engine on a model: identities, plain hooks, the noise floor.

What the engine computes is compared with runs of bare hooks (`plain`) and of TransformerLens
(`lens`), one patch a forward pass, and with what must hold in any model: a patch with the clean
run's own activation changes nothing, nothing reads the last layer before the last position, and
with every component patched everywhere the run is the counterfactual one.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from pipeline_lib.interventions.capture import capture
from pipeline_lib.interventions.patch import (
    PatchedAnswers,
    patch_components,
    patch_everything,
    patch_logits,
)
from pipeline_lib.interventions.patches import Patches
from pipeline_lib.logs import progress
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.verification.checks import Check, Ruler, largest_difference
from pipeline_lib.verification.lens import LABEL, LensUnavailableError, TransformerLensHooks
from pipeline_lib.verification.plain import HuggingFaceHooks, PlainHooks
from pipeline_lib.verification.sample import PromptPairs, draw_patches, silent_patches

logger = logging.getLogger("pipeline_lib")

LARGE_BATCH = 64
IDENTITY = "identity"
NOISE, ITSELF, SILENT, EVERYTHING, CLEAN, PATCHED, ANSWERS = (
    "same prompts in two batch sizes (noise floor)",
    "a patch with itself changes nothing",
    "last layer before the last position changes nothing",
    "all components patched everywhere: the counterfactual run",
    "clean run",
    "logits after a patch",
    "log-probabilities of an effect map",
)
PATCHES = (PATCHED, ANSWERS)


@dataclass(frozen=True)
class EngineResults:
    """What the engine makes of the sample: logits at the last position, on the CPU.

    ``answers`` are log-probabilities (nats) of the two answers, from the map of all effects.
    """

    itself: Float[Tensor, "patch vocab"]
    silent: Float[Tensor, "silent vocab"]
    everything: Float[Tensor, "prompt vocab"]
    patched: Float[Tensor, "patch vocab"]
    answers: Float64[Tensor, "patch 2"]


@dataclass(frozen=True)
class PlainResults:
    """The same by plain hooks, and the runs that nothing was done to."""

    clean: Float[Tensor, "prompt vocab"]
    counterfactual: Float[Tensor, "prompt vocab"]
    patched: Float[Tensor, "patch vocab"]


def verify_engine(
    load: Callable[[], LanguageModel],
    pairs: PromptPairs,
    n_patches: int,
    rng: np.random.Generator,
) -> list[Check]:
    """Every check on one model; a failed one raises nothing here (`checks.require_passed`).

    ``load`` gives a fresh copy of the model, and is called twice, because TransformerLens takes
    its copy apart; the first is let go before. ``n_patches`` are drawn at random, with every
    layer, position and kind of component among them.
    """
    model = load()
    sizes = {"n_prompts": len(pairs), "n_layers": model.n_layers, "n_heads": model.n_heads}
    patches = draw_patches(n_patches, positions=pairs.positions, rng=rng, **sizes)
    silent = silent_patches(positions=pairs.positions, **sizes)
    ours = run_engine(model, pairs, patches, silent)
    hooks = HuggingFaceHooks(model)
    plain = run_plain(hooks, pairs, patches)
    noise = noise_floor(model, hooks, pairs.tokens)
    largest = float(torch.cat([plain.clean, plain.counterfactual]).abs().max())
    ruler = Ruler(largest, model.dtype, noise / largest)
    checks = [Check(NOISE, "the model itself", "measured", len(pairs), noise, noise / largest)]
    checks += check_identities(ruler, ours, plain, patches, silent)
    checks += check_patches(ruler, hooks.label, ours, plain.patched, pairs, patches)
    del model, hooks
    checks += check_lens(ruler, load(), ours, plain, pairs, patches)
    for check in checks:
        logger.info("%s", check)
    return checks


def run_engine(
    model: LanguageModel, pairs: PromptPairs, patches: Patches, silent: Patches
) -> EngineResults:
    """The engine on the sample, through the functions that the stages call."""
    clean = capture(model, pairs.tokens, ("z", "mlp_post"))
    other = capture(model, pairs.counterfactual_tokens, ("z", "mlp_post"))
    answers = patch_components(
        model,
        pairs.tokens,
        other,
        pairs.answer_ids,
        pairs.counterfactual_answer_ids,
        positions=pairs.positions,
    )
    return EngineResults(
        itself=patch_logits(model, pairs.tokens, clean, patches),
        silent=patch_logits(model, pairs.tokens, other, silent),
        everything=patch_everything(model, pairs.tokens, other),
        patched=patch_logits(model, pairs.tokens, other, patches),
        answers=read_answers(answers, patches),
    )


def read_answers(answers: PatchedAnswers, patches: Patches) -> Float64[Tensor, "patch 2"]:
    """The entries of an effect map that a list of patches names (all layers in their order)."""
    column = torch.tensor(answers.positions).eq(patches.position[:, None]).int().argmax(1)
    index = (patches.prompt, column, patches.layer, patches.component)
    both = [torch.from_numpy(grid)[index] for grid in (answers.patched_r, answers.patched_cf)]
    return torch.stack(both, 1)


def run_plain(hooks: PlainHooks, pairs: PromptPairs, patches: Patches) -> PlainResults:
    """The untouched runs of all prompts, and every patch in a forward pass of its own."""
    recorded = hooks.record(pairs.counterfactual_tokens)
    columns = (patches.prompt, patches.position, patches.layer, patches.component)
    rows = torch.stack(columns, 1).tolist()
    patched = []
    for prompt, position, layer, component in progress(rows, hooks.label, unit="patches"):
        row = slice(prompt, prompt + 1)
        source = recorded[layer, component == hooks.n_heads][row]
        logits = hooks.patch(pairs.tokens[row], source, layer, position, component)
        patched.append(logits.float().cpu())
    clean, counterfactual = (
        hooks.logits(tokens).float().cpu() for tokens in (pairs.tokens, pairs.counterfactual_tokens)
    )
    return PlainResults(clean, counterfactual, torch.cat(patched))


def noise_floor(
    model: LanguageModel, hooks: PlainHooks, tokens: Int64[Tensor, "prompt token"]
) -> float:
    """Largest difference of clean logits between prompts run one by one and in one large batch.

    One by one they get logits at all positions, as in plain code; in the batch, filled by repeating
    them, at the last position, as in the stages. Nothing but the number of rows of the matrix
    products differs, and with it the order of sums and so the rounding.
    """
    filled = tokens.repeat(-(-LARGE_BATCH // len(tokens)), 1)
    together = capture(model, filled, (), batch_size=LARGE_BATCH).logits
    assert together is not None
    apart = torch.cat([hooks.logits(row).float().cpu() for row in tokens.split(1)])
    return largest_difference(together[: len(tokens)], apart)


def check_identities(
    ruler: Ruler, ours: EngineResults, plain: PlainResults, patches: Patches, silent: Patches
) -> list[Check]:
    """What holds whatever the model: patches that change nothing, and the one of everything."""
    expected = {
        ITSELF: (ours.itself, plain.clean[patches.prompt]),
        SILENT: (ours.silent, plain.clean[silent.prompt]),
        EVERYTHING: (ours.everything, plain.counterfactual),
    }
    return [ruler.check(name, IDENTITY, *both) for name, both in expected.items()]


def check_patches(
    ruler: Ruler,
    reference: str,
    ours: EngineResults,
    patched: Float[Tensor, "patch vocab"],
    pairs: PromptPairs,
    patches: Patches,
) -> list[Check]:
    """The random patches: their logits, and their entries in the map of all effects."""
    pair = torch.stack([pairs.answer_ids, pairs.counterfactual_answer_ids], 1)[patches.prompt]
    answers = patched.double().log_softmax(1).gather(1, pair)
    return [
        ruler.check(PATCHED, reference, ours.patched, patched),
        ruler.check(ANSWERS, reference, ours.answers, answers, terms=2),
    ]


def check_lens(
    ruler: Ruler,
    model: LanguageModel,
    ours: EngineResults,
    plain: PlainResults,
    pairs: PromptPairs,
    patches: Patches,
) -> list[Check]:
    """The random patches against TransformerLens, where it runs this model as it is.

    Where it cannot wrap the model, or computes something else already without any patch, its checks
    are not available, and say why. It computes attention in other steps than the model does, so its
    noise floor is at least how far its clean run is off.
    """
    try:
        hooks = TransformerLensHooks.wrap(model, pairs.tokens[:1])
    except LensUnavailableError as error:
        missing = Check(CLEAN, LABEL, "not available", note=str(error))
        return [missing, *(replace(missing, name=name) for name in PATCHES)]
    lens = run_plain(hooks, pairs, patches)
    clean = ruler.check(CLEAN, LABEL, lens.clean, plain.clean)
    if clean.status == "failed":
        clean = replace(clean, status="not available", note="its clean run is not the model's")
        return [clean, *(replace(clean, name=name, note="see the clean run") for name in PATCHES)]
    ruler = ruler.no_finer_than(clean.max_rel_difference or 0.0)
    return [clean, *check_patches(ruler, LABEL, ours, lens.patched, pairs, patches)]
