"""What a neuron writes, read through the unembedding: its value vector over number tokens."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pipeline_lib.interventions.hooks import metric_dtype
from pipeline_lib.models.loading import LanguageModel


@torch.no_grad()
def value_logits(
    model: LanguageModel,
    layer: int,
    neurons: Int[Tensor, " neuron"],
    token_ids: Int[Tensor, " number"],
) -> Float[Tensor, "neuron number"]:
    """Logits of some tokens in the value vectors of a layer's neurons (definitions 6).

    Rows of W_out through the unembedding with the final norm's weight folded in, centred over the
    whole vocabulary. Where the final norm is a LayerNorm, which subtracts the mean over d_model,
    the rows are centred over d_model too. Biases (of the norm, the MLP, the unembedding) do not
    depend on a neuron's activation and are left out; so is the norm's scale, which does not depend
    on the neuron. Computed in float32 (float64 for a float64 model), on the CPU.
    """
    dtype = metric_dtype(model)
    written = model.w_out(layer)[neurons.to(model.w_out(layer).device)].to("cpu", dtype)
    if model.arch.layer_norm:
        written = written - written.mean(-1, keepdim=True)
    weight: Tensor = model.unembedding.weight  # type: ignore[assignment]
    mean = weight.mean(0, dtype=dtype).cpu()
    read = weight[token_ids.to(weight.device)].to("cpu", dtype) - mean
    scale: Tensor = model.final_norm.weight  # type: ignore[assignment]
    return (written * scale.to("cpu", dtype)) @ read.T
