"""Activation patching: one component's activation at one position, from the counterfactual run.

Exact, and only what a patch can change is computed: positions from its own on, in the layers above
it. Patches at one position share a pass over the layers, which each joins at its own layer.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int, Int64
from torch import Tensor

from pipeline_lib.interventions.ablate import ablate
from pipeline_lib.interventions.altered import altered_residuals
from pipeline_lib.interventions.batching import (
    batches,
    clean_rows,
    logit_rows,
    resumed_batches,
    run_batches,
    suffix_rows,
)
from pipeline_lib.interventions.capture import Activations, resolve_layers, resolve_positions
from pipeline_lib.interventions.clean import CleanRun, run_clean
from pipeline_lib.interventions.hooks import (
    check_finite,
    metric_dtype,
)
from pipeline_lib.interventions.patches import Indices, Patches, all_patches, known_zero
from pipeline_lib.interventions.readout import Readout
from pipeline_lib.interventions.suffix import Altered, Rows, SuffixEngine
from pipeline_lib.measures.effects import indirect_effect, log_odds_change
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.pieces import Loop


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
    patches = all_patches(len(tokens), positions, layers, model.n_heads + 1)
    known = known_zero(model, patches, tokens, counterfactual.tokens) & skip_known
    rows, todo = (~known).nonzero()[:, 0], patches[~known]
    clean = torch.empty(len(tokens), 2, dtype=torch.float64)
    patched = torch.empty(len(patches), 2, dtype=torch.float64)
    done = progress or (lambda n: None)
    readout = Readout(model)

    def answer(part: slice | Indices, resid: Tensor) -> Tensor:
        if isinstance(part, slice):
            return readout.log_probs(resid, answers[part])
        found = readout.log_probs(resid, answers[todo.prompt[part]])
        check_finite(found, _where(model, todo, part))
        return found

    for part, found in iter_runs(model, tokens, counterfactual, todo, answer, batch_size):
        if isinstance(part, slice):
            clean[part] = found
        else:
            patched[rows[part]] = found
            done(len(part))
    patched[known] = clean[patches.prompt[known]]
    done(int(known.sum()))
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
    result = torch.empty(len(patches), model.d_vocab, dtype=metric_dtype(model))
    readout = Readout(model)

    def answer(part: slice | Indices, resid: Tensor) -> Tensor:
        if isinstance(part, slice):
            return result[:0]
        some = batches(len(part), logit_rows(model))
        found = torch.cat([readout.logits(resid[rows]).cpu() for rows in some])
        check_finite(found, _where(model, patches, part))
        return found

    # large and made for few patches: not kept for another attempt
    runs = iter_runs(model, tokens, counterfactual, patches, answer, batch_size, keep=False)
    for part, found in runs:
        if not isinstance(part, slice):
            result[part] = found
    return result


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
    readout = Readout(model)

    def answer(part: slice | Indices, resid: Tensor) -> Tensor:
        if isinstance(part, slice):
            return result[:0]
        found = readout.log_probs(resid, answers[patches.prompt[part]])
        check_finite(found, _where(model, patches, part))
        return found

    for part, found in iter_runs(model, tokens, counterfactual, patches, answer, batch_size):
        if not isinstance(part, slice):
            result[part] = found
    return result


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
    layers, columns = list(counterfactual.layers), list(counterfactual.positions)
    shape = (len(tokens), tokens.shape[1], model.n_layers)
    held = torch.zeros(model.n_layers, dtype=torch.bool)
    held[layers] = True
    sites: dict[str, Tensor] = {}
    for site in ("z", "mlp_post"):
        values = counterfactual.site(site)
        sites[site] = values.new_zeros(*shape, *values.shape[3:])
        sites[site][:, torch.tensor(columns)[:, None], layers] = values
    every = Activations(tokens, tuple(range(shape[1])), tuple(range(shape[2])), **sites)
    return ablate(
        model,
        tokens,
        heads=held[:, None].expand(len(tokens), -1, model.n_heads),
        neurons=held[:, None].expand(len(tokens), -1, model.d_mlp),
        value=every,
        positions=columns,
        batch_size=batch_size,
    )


Answer = Callable[[slice | Indices, Float[Tensor, "row d_model"]], Tensor]
"""What is wanted of last residuals, on the CPU: of clean runs (a slice of prompts) or patches."""


@torch.inference_mode()
def iter_runs(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    counterfactual: Activations,
    patches: Patches,
    answer: Answer,
    batch_size: int | None,
    *,
    keep: bool = True,
) -> Iterator[tuple[slice | Indices, Tensor]]:
    """Answers of clean runs, with a slice of prompts, and of patches, with their numbers.

    The slice of prompts comes before the patches made in them. Those of patches are not computed
    again where an earlier attempt at the same stage had them (`resumed_batches`), unless ``keep``
    is False.
    """
    engine = SuffixEngine(model)
    chunk, loop = clean_rows(model, tokens.shape[1]), Loop.begin()
    for prompts, clean in run_batches(len(tokens), chunk, lambda r: run_clean(model, tokens[r])):
        yield prompts, answer(prompts, clean.resid[-1][:, -1])
        inside = (patches.prompt >= prompts.start) & (patches.prompt < prompts.stop)
        chosen, todo = inside.nonzero()[:, 0], patches[inside].shifted(-prompts.start)
        source = counterfactual if todo.source is not None else counterfactual.prompts(prompts)
        passes = _Passes.of(engine, clean, source, todo, batch_size)
        # the memory that is free decides the chunks: their rows are part of the name
        of_chunk = loop.part(f"{prompts.start}-{prompts.stop}")
        yield from passes.answers(chosen, answer, of_chunk if keep else Loop())


def _where(model: LanguageModel, patches: Patches, part: Indices) -> str:
    layers = patches.layer[part]
    return f"{model.name}: logits after patching layers {int(layers.min())} to {int(layers.max())}"


@dataclass(frozen=True)
class _Passes:
    """The patches made in one clean run, ``members`` in the order in which they run."""

    engine: SuffixEngine
    clean: CleanRun
    counterfactual: Activations
    patches: Patches
    members: Indices
    n_rows: int
    """Patches of a pass."""

    @classmethod
    def of(
        cls,
        engine: SuffixEngine,
        clean: CleanRun,
        counterfactual: Activations,
        patches: Patches,
        batch_size: int | None,
    ) -> "_Passes":
        """Low layers first, ``batch_size`` patches a pass."""
        longest = clean.n_tokens - int(patches.first_position.min()) if len(patches) else 1
        rows = batch_size or suffix_rows(engine.model, longest)
        members = patches.layer.argsort(stable=True)
        return cls(engine, clean, counterfactual, patches, members, rows)

    def answers(
        self, numbers: Indices, answer: Answer, loop: Loop
    ) -> Iterator[tuple[Indices, Tensor]]:
        """Answers pass by pass; ``numbers`` are those of the patches in the list of all."""

        def run(rows: slice) -> tuple[Indices, Tensor]:
            part, resid = self._run(rows)
            return numbers[part], answer(numbers[part], resid)

        for _, (part, found) in resumed_batches(len(self.members), self.n_rows, run, loop):
            yield part, found

    def _run(self, part: slice) -> tuple[Int64[Tensor, " row"], Float[Tensor, "row d_model"]]:
        """Numbers and last residuals of the patches of one pass."""
        chosen = self.members[part]
        chosen = chosen[self.patches.first_position[chosen].argsort(stable=True)]
        batch = self.patches[chosen]
        engine, single = self.engine, batch.at_single_positions()
        resid = altered_residuals(
            engine.model, engine.blocks, self.clean, self.counterfactual, single
        )
        position = batch.position.view(len(chosen), -1)
        altered = Altered(position, resid.unflatten(0, position.shape))
        rows = Rows(batch.prompt, batch.layer + 1, batch.first_position)
        return chosen, engine.last_residual(self.clean, rows, altered=altered)
