"""Many residuals in the place of one: candidate logits for each, from one clean run a prompt."""

import torch
from jaxtyping import Float, Float64, Int, Int64
from torch import Tensor

from pipeline_lib.interventions.batching import clean_rows, run_batches, suffix_rows
from pipeline_lib.interventions.clean import CleanRun, run_clean
from pipeline_lib.interventions.hooks import check_finite
from pipeline_lib.interventions.suffix import Altered, Rows, SuffixEngine
from pipeline_lib.models.loading import LanguageModel


@torch.inference_mode()
def patch_residuals(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    layer: int,
    position: int,
    values: Float[Tensor, "variant prompt d_model"],
    token_ids: Int64[Tensor, "prompt candidate"],
) -> Float64[Tensor, "variant prompt candidate"]:
    """Candidate logits with resid_post of a layer and position replaced by each of the variants.

    Raises ActivationError for NaN or infinite logits.
    """
    engine = SuffixEngine(model)
    found = torch.empty(len(values), *token_ids.shape, dtype=torch.float64)
    limit = suffix_rows(model, tokens.shape[1] - position)

    def run(rows: slice) -> CleanRun:
        return run_clean(model, tokens[rows])

    for rows, clean in run_batches(len(tokens), clean_rows(model, tokens.shape[1]), run):
        ids, chosen = token_ids[rows], values[:, rows].to(model.dtype)
        n = len(ids)
        for start in range(0, len(values), max(1, limit // n)):
            part = chosen[start : start + max(1, limit // n)]
            prompts = torch.arange(n).repeat(len(part))
            joining = Rows(
                prompts,
                torch.full_like(prompts, layer + 1),
                torch.full_like(prompts, position),
            )
            at = torch.full((len(prompts), 1), position)
            altered = Altered(at, part.flatten(0, 1)[:, None])
            resid = engine.last_residual(clean, joining, altered=altered)
            logits = engine.readout.token_logits(resid, ids[prompts])
            found[start : start + len(part), rows] = logits.unflatten(0, (len(part), n))
    check_finite(found, f"{model.name}: logits after patching residuals")
    return found
