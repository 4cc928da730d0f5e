"""Logits of a few candidate tokens, before and after patches: what studies of choices measure.

A difference of logits is a difference of log-probabilities, so nothing else of the vocabulary is
needed.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float64, Int, Int64
from torch import Tensor

from pipeline_lib.interventions.batching import clean_rows, run_batches
from pipeline_lib.interventions.capture import Activations
from pipeline_lib.interventions.clean import run_clean
from pipeline_lib.interventions.hooks import check_finite
from pipeline_lib.interventions.patch import iter_runs
from pipeline_lib.interventions.patches import Indices, Patches, known_zero
from pipeline_lib.interventions.readout import Readout
from pipeline_lib.models.loading import LanguageModel


@torch.inference_mode()
def candidate_logits(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    token_ids: Int64[Tensor, "prompt candidate"],
) -> Float64[Tensor, "prompt candidate"]:
    """Last-position logits of each prompt's candidate tokens.

    Raises ActivationError for NaN or infinite logits.
    """
    readout = Readout(model)
    found = torch.empty(token_ids.shape, dtype=torch.float64)
    chunk = clean_rows(model, tokens.shape[1])
    runs = run_batches(len(tokens), chunk, lambda rows: run_clean(model, tokens[rows]))
    for rows, clean in runs:
        found[rows] = readout.token_logits(clean.resid[-1][:, -1], token_ids[rows])
    check_finite(found, f"{model.name}: logits")
    return found


def patch_candidates(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    source: Activations,
    patches: Patches,
    token_ids: Int64[Tensor, "prompt candidate"],
    *,
    skip_known: bool = False,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Float64[Tensor, "prompt candidate"], Float64[Tensor, "patch candidate"]]:
    """Logits of the candidate tokens of each prompt, clean and after each patch of its own.

    ``source`` holds what is patched in: a prompt's own values for each prompt, or rows that
    ``patches.source`` chooses (see `Patches`, also for the components). ``skip_known`` leaves out
    patches that change nothing because ``source.tokens`` are the same text up to them; it must be
    False where the values are not those of a run.
    ``progress`` is called with the number of patches just done. Raises ActivationError for NaN or
    infinite logits.
    """
    todo = torch.arange(len(patches))
    if skip_known:
        todo = todo[~known_zero(model, patches, tokens, source.tokens)]
    clean = torch.empty(token_ids.shape, dtype=torch.float64)
    patched = torch.empty(len(patches), token_ids.shape[1], dtype=torch.float64)
    readout, wanted = Readout(model), patches[todo]
    done = progress or (lambda n: None)
    done(len(patches) - len(todo))
    is_done = torch.zeros(len(patches), dtype=torch.bool)

    def answer(part: slice | Indices, resid: Tensor) -> Tensor:
        at = part if isinstance(part, slice) else wanted.prompt[part]
        return readout.token_logits(resid, token_ids[at])

    for part, found in iter_runs(model, tokens, source, wanted, answer, batch_size):
        if isinstance(part, slice):
            clean[part] = found
            continue
        patched[todo[part]] = found
        is_done[todo[part]] = True
        done(len(part))
    patched[~is_done] = clean[patches.prompt[~is_done]]
    check_finite(torch.cat([clean, patched]), f"{model.name}: logits after patches")
    return clean, patched
