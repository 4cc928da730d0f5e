"""Activation patching: one component's activation at one position, from the counterfactual run.

Exact, one forward row per patch: row r of a batch carries its own patch at its own layer, position
and component, so patches of all layers and prompts share forward passes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, Int64
from torch import Tensor

from pipeline_lib.interventions.batching import batches, default_batch_size
from pipeline_lib.interventions.capture import Activations, resolve_layers, resolve_positions
from pipeline_lib.interventions.hooks import (
    Edit,
    Hook,
    Site,
    check_finite,
    hooked,
    last_logits,
    on_site,
)
from pipeline_lib.interventions.patches import Indices, Patches, all_patches, known_zero
from pipeline_lib.measures.effects import indirect_effect, log_odds_change
from pipeline_lib.models.loading import LanguageModel


@dataclass(frozen=True)
class PatchedAnswers:
    """Log-probabilities (nats, float64) of the two answers before and after every patch.

    ``positions`` and ``layers`` are the coordinates of their axes; the component axis is head_0 to
    head_{H-1}, then the MLP.
    """

    positions: tuple[int, ...]
    layers: tuple[int, ...]
    clean_r: Float64[np.ndarray, " prompt"]
    clean_cf: Float64[np.ndarray, " prompt"]
    patched_r: Float64[np.ndarray, "prompt position layer component"]
    patched_cf: Float64[np.ndarray, "prompt position layer component"]

    def indirect_effect(self) -> Float64[np.ndarray, "prompt position layer component"]:
        """Eq. 1 of the paper, per prompt."""
        return indirect_effect(*self._log_probs())

    def log_odds_change(self) -> Float64[np.ndarray, "prompt position layer component"]:
        """Change of log P(r)/P(r') in nats, per prompt."""
        return log_odds_change(*self._log_probs())

    def _log_probs(self) -> tuple[Float64[np.ndarray, "..."], ...]:
        clean = (clean[:, None, None, None] for clean in (self.clean_r, self.clean_cf))
        return (*clean, self.patched_r, self.patched_cf)


def patch_components(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    counterfactual: Activations,
    answer_ids: Int[Tensor, " prompt"],
    counterfactual_answer_ids: Int[Tensor, " prompt"],
    *,
    positions: Sequence[int] | None = None,
    layers: Sequence[int] | None = None,
    batch_size: int | None = None,
    skip_known: bool = True,
    progress: Callable[[int], None] | None = None,
) -> PatchedAnswers:
    """Patch every head and MLP of the layers, one position at a time, in every prompt.

    ``counterfactual`` holds z and mlp_post of the counterfactual prompts at these positions and
    layers (by default at all it holds). ``skip_known`` leaves out forward passes whose result is
    the clean run's by construction. ``progress`` is called with the number of patches just done.
    Raises ActivationError when a patched run gives NaN or infinite logits.
    """
    positions = counterfactual.positions if positions is None else positions
    positions = resolve_positions(positions, tokens.shape[1])
    layers = resolve_layers(counterfactual.layers if layers is None else layers, model.n_layers)
    answers = torch.stack([answer_ids, counterfactual_answer_ids], 1).cpu().long()
    clean = _clean_log_probs(model, tokens, answers, batch_size)
    patches = all_patches(len(tokens), positions, layers, model.n_heads + 1)
    patched = clean[patches.prompt]
    known = known_zero(model, patches, tokens, counterfactual.tokens)
    run = ~known if skip_known else torch.ones_like(known)
    rows, todo = run.nonzero()[:, 0], patches[run]
    if progress is not None and len(todo) < len(patches):
        progress(len(patches) - len(todo))
    for part, logits in _iter_patched(model, tokens, counterfactual, todo, batch_size):
        patched[rows[part]] = log_probs(logits, answers[todo.prompt[part]])
        if progress is not None:
            progress(part.stop - part.start)
    # patches are listed layer, component, position, prompt; the axes of results the other way
    shape = (len(layers), model.n_heads + 1, len(positions), len(tokens), 2)
    grid = patched.reshape(shape).permute(3, 2, 0, 1, 4).numpy()
    return PatchedAnswers(
        positions,
        layers,
        clean[:, 0].numpy(),
        clean[:, 1].numpy(),
        np.ascontiguousarray(grid[..., 0]),
        np.ascontiguousarray(grid[..., 1]),
    )


def patch_logits(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    counterfactual: Activations,
    patches: Patches,
    *,
    batch_size: int | None = None,
) -> Float[Tensor, "patch vocab"]:
    """Last-position logits after each patch of a list, on the CPU; nothing is left out."""
    parts = _iter_patched(model, tokens, counterfactual, patches, batch_size)
    logits = [logits.cpu() for _, logits in parts]
    return torch.cat(logits) if logits else torch.empty(0, model.d_vocab)


def patch_log_probs(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    counterfactual: Activations,
    patches: Patches,
    answer_ids: Int[Tensor, " prompt"],
    counterfactual_answer_ids: Int[Tensor, " prompt"],
    *,
    batch_size: int | None = None,
) -> Float64[Tensor, "patch 2"]:
    """Log-probabilities (nats) of r and r' after each patch of a list, heads, MLPs or neurons."""
    answers = torch.stack([answer_ids, counterfactual_answer_ids], 1).cpu().long()
    result = torch.empty(len(patches), 2, dtype=torch.float64)
    for part, logits in _iter_patched(model, tokens, counterfactual, patches, batch_size):
        result[part] = log_probs(logits, answers[patches.prompt[part]])
    return result


@torch.no_grad()
def patch_everything(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    counterfactual: Activations,
    *,
    batch_size: int | None = None,
) -> Float[Tensor, "prompt vocab"]:
    """Last-position logits with every component the counterfactual holds patched at once.

    With all layers and positions, and the same last token, this is the counterfactual run itself.
    """
    batch_size = batch_size or default_batch_size(model, tokens.shape[1])
    positions, parts = list(counterfactual.positions), []

    def replace_by(values: Float[Tensor, "..."]) -> Callable[[Tensor], Tensor]:
        def edit(x: Tensor) -> Tensor:
            x = x.clone()
            x[:, positions] = values.to(x.device, x.dtype)
            return x

        return edit

    for rows in batches(len(tokens), batch_size):
        sites: tuple[Site, Site] = ("z", "mlp_post")
        hooks = [
            on_site(model, site, layer, replace_by(counterfactual.site(site)[rows, :, index]))
            for index, layer in enumerate(counterfactual.layers)
            for site in sites
        ]
        with hooked(hooks):
            parts.append(last_logits(model, tokens[rows]).cpu())
    return torch.cat(parts) if parts else torch.empty(0, model.d_vocab)


def log_probs(
    logits: Float[Tensor, "row vocab"], token_ids: Int64[Tensor, "row answer"]
) -> Float64[Tensor, "row answer"]:
    """Log-probabilities (nats, float64, on the CPU) of some tokens of each row."""
    logits = logits.double()
    chosen = logits.gather(1, token_ids.to(logits.device))
    return (chosen - logits.logsumexp(1, keepdim=True)).cpu()


def _clean_log_probs(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    answers: Int64[Tensor, "prompt 2"],
    batch_size: int | None,
) -> Float64[Tensor, "prompt 2"]:
    result = torch.empty(len(tokens), 2, dtype=torch.float64)
    for rows in batches(len(tokens), batch_size or default_batch_size(model, tokens.shape[1])):
        with torch.no_grad():
            logits = last_logits(model, tokens[rows])
        check_finite(logits, f"{model.name}: logits of the clean run")
        result[rows] = log_probs(logits, answers[rows])
    return result


def _iter_patched(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    counterfactual: Activations,
    patches: Patches,
    batch_size: int | None,
) -> Iterator[tuple[slice, Float[Tensor, "row vocab"]]]:
    """Logits of the patches, batch by batch, with the slice of patches they belong to."""
    for part in batches(len(patches), batch_size or default_batch_size(model, tokens.shape[1])):
        batch = patches[part]
        with hooked(_patch_hooks(model, counterfactual, batch)), torch.no_grad():
            logits = last_logits(model, tokens[batch.prompt])
        layers = f"layers {int(batch.layer.min())} to {int(batch.layer.max())}"
        check_finite(logits, f"{model.name}: logits after patching {layers}")
        yield part, logits


def _patch_hooks(
    model: LanguageModel, counterfactual: Activations, batch: Patches
) -> Iterator[Hook]:
    mlp = batch.component == model.n_heads
    one = torch.zeros_like(mlp) if batch.neuron is None else batch.neuron >= 0
    groups: list[tuple[Site, Bool[Tensor, " patch"], Indices | None]] = [
        ("z", ~mlp, batch.component),
        ("mlp_post", mlp & ~one, None),
        ("mlp_post", mlp & one, batch.neuron),
    ]
    for layer in batch.layer.unique().tolist():
        for site, members, inner in groups:
            rows = (members & (batch.layer == layer)).nonzero()[:, 0]
            if len(rows):
                edit = _row_edit(counterfactual, site, layer, batch, rows, inner)
                yield on_site(model, site, layer, edit)


def _row_edit(
    counterfactual: Activations,
    site: Site,
    layer: int,
    batch: Patches,
    rows: Int64[Tensor, " chosen"],
    inner: Indices | None,
) -> Edit:
    """Replace, in each chosen row, its position (and head or neuron) by the counterfactual's."""
    position = batch.position[rows]
    column = torch.tensor(counterfactual.positions).eq(position[:, None]).int().argmax(1)
    slot = torch.full_like(rows, counterfactual.layers.index(layer))
    unit = () if inner is None else (inner[rows],)
    source = (batch.prompt[rows], column, slot, *unit)
    values = counterfactual.site(site)[source]

    def edit(x: Tensor) -> Tensor:
        x = x.clone()
        x[(rows, position, *unit)] = values.to(x.device, x.dtype)
        return x

    return edit
