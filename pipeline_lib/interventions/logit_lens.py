"""The logit lens: what the final norm and the unembedding make of residuals of any layer."""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from pipeline_lib.interventions.capture import Activations
from pipeline_lib.interventions.readout import Readout
from pipeline_lib.models.loading import LanguageModel


@torch.inference_mode()
def lens_logits(
    model: LanguageModel, run: Activations, token_ids: Int64[Tensor, "prompt candidate"]
) -> Float64[Tensor, "prompt pos layer candidate"]:
    """Logits of each prompt's candidate tokens, read from its captured resid_post.

    Those of the last layer at the last position are the model's own.
    """
    resid = run.site("resid_post")
    rows = resid.shape[1] * resid.shape[2]
    logits = Readout(model).token_logits(
        resid.flatten(0, 2).to(_norm_device(model), model.dtype),
        token_ids.repeat_interleave(rows, 0),
    )
    return logits.reshape(*resid.shape[:3], -1)


@torch.inference_mode()
def normed(model: LanguageModel, resid: Float[Tensor, "*row d_model"]) -> Float64[Tensor, "..."]:
    """Residuals after the model's final norm, on the CPU."""
    found: Tensor = model.final_norm(resid.to(_norm_device(model), model.dtype))
    return found.double().cpu()


def norm_gradient(
    model: LanguageModel,
    resid: Float[Tensor, "row d_model"],
    direction: Float[Tensor, " d_model"],
) -> Float64[Tensor, "row d_model"]:
    """Gradient, with respect to each residual, of its normed residual along ``direction``.

    The residual's direction in which a linear read-out of the normed residual grows fastest.
    """
    device = _norm_device(model)
    with torch.enable_grad():
        leaf = resid.detach().clone().to(device, model.dtype).requires_grad_(True)
        read = (model.final_norm(leaf) * direction.to(device, model.dtype)).sum()
        (gradient,) = torch.autograd.grad(read, leaf)
    return gradient.double().cpu()


def _norm_device(model: LanguageModel) -> torch.device:
    return next(model.final_norm.parameters()).device
