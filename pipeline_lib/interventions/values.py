"""What neurons and heads read and write, in number tokens: weights alone, no run."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pipeline_lib.interventions.blocks import Block
from pipeline_lib.interventions.hooks import metric_dtype
from pipeline_lib.models.loading import LanguageModel

Source = Literal["embedding", "unembedding"]


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
    rows = model.w_out(layer)[neurons.to(model.w_out(layer).device)]
    return direction_logits(model, rows.to("cpu", metric_dtype(model)), token_ids)


@torch.no_grad()
def key_logits(
    model: LanguageModel,
    layer: int,
    neurons: Int[Tensor, " neuron"],
    token_ids: Int[Tensor, " number"],
) -> dict[str, Float[Tensor, "neuron number"]]:
    """Logits of some tokens in the key vectors of a layer's neurons (definitions 9).

    By the name of the projection: "gate" and "up" of a gated MLP, else "in". A key vector is the
    direction of the residual stream that moves the projection most: its row of W_in times the
    weight of the norm before the MLP (centred over d_model where that is a LayerNorm). It is read
    like a value vector (`value_logits`). Biases and both norms' scales are left out. A number is
    promoted where a residual that predicts it moves the projection up.
    """
    norm = model.layers[layer].get_submodule(model.arch.mlp_norm)
    found = {}
    for name in model.arch.mlp_ins:
        weight = model.w_in(layer, name)
        rows = weight[neurons.to(weight.device)].to("cpu", metric_dtype(model))
        read = rows * _norm_weight(norm).to("cpu", metric_dtype(model))
        if model.arch.layer_norm:
            read = read - read.mean(-1, keepdim=True)
        found[name] = direction_logits(model, read, token_ids)
    return found


@torch.no_grad()
def ov_logits(
    model: LanguageModel,
    layer: int,
    token_ids: Int[Tensor, " number"],
    *,
    source: Source = "embedding",
) -> Float[Tensor, "head source number"]:
    """What each head of a layer writes when it attends to a number alone (definitions 9).

    W_U^T W_O W_V norm(e): e is the number's row of the embedding ("embedding"), or of the
    unembedding centred over the vocabulary ("unembedding", the paper's W_U^T W_V W_O W_U), put
    through the norm before the layer's attention with that vector's own scale; the result is read
    like a value vector (`value_logits`). Left out: whatever earlier layers add to the embedding
    (MLP0 above all), embedded positions, all biases, the attention weight and the final norm's
    scale. Heads that share values differ by W_O alone.
    """
    block, dtype = Block(model, layer), metric_dtype(model)
    values = _read_values(block, _number_vectors(model, token_ids, source))
    w_o = model.w_o(layer).to("cpu", dtype)
    shared = model.n_heads // values.shape[1]
    written = torch.einsum("nhd,hdm->hnm", values.cpu().repeat_interleave(shared, 1), w_o)
    logits = direction_logits(model, written.flatten(0, 1), token_ids)
    return logits.unflatten(0, (model.n_heads, -1))


def _number_vectors(
    model: LanguageModel, token_ids: Int[Tensor, " number"], source: Source
) -> Float[Tensor, "number d_model"]:
    module = model.embedding if source == "embedding" else model.unembedding
    weight: Tensor = module.weight  # type: ignore[assignment]
    vectors = weight[token_ids.to(weight.device)]
    return vectors if source == "embedding" else vectors - weight.mean(0)


def _read_values(
    block: Block, vectors: Float[Tensor, "number d_model"]
) -> Float[Tensor, "number kv_head d_head"]:
    """Value vectors of some residuals, without the biases of the norm and of the projection."""
    vectors = vectors.to(block.device)
    bias = getattr(block.attention_norm, "bias", None)
    normed = block.attention_norm(vectors)
    normed = normed if bias is None else normed - bias
    still = torch.zeros_like(normed[:1])
    values, constant = (block.project(x, None, None)[2] for x in (normed, still))
    difference: Tensor = values.to(torch.float64) - constant.to(torch.float64)
    return difference.to(torch.float64 if values.dtype == torch.float64 else torch.float32)


@torch.no_grad()
def direction_logits(
    model: LanguageModel, rows: Float[Tensor, "row d_model"], token_ids: Int[Tensor, " number"]
) -> Float[Tensor, "row number"]:
    """Logits of some tokens in directions of the residual stream, read like value vectors.

    Through the final norm's weight and the unembedding centred over the vocabulary, on the CPU.
    """
    if model.arch.layer_norm:
        rows = rows - rows.mean(-1, keepdim=True)
    weight: Tensor = model.unembedding.weight  # type: ignore[assignment]
    mean = weight.mean(0, dtype=rows.dtype).cpu()
    read = weight[token_ids.to(weight.device)].to("cpu", rows.dtype) - mean
    return (rows * _norm_weight(model.final_norm).to("cpu", rows.dtype)) @ read.T


def _norm_weight(norm: nn.Module) -> Float[Tensor, " d_model"]:
    weight: Tensor = norm.weight  # type: ignore[assignment]
    return weight
