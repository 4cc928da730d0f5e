"""Ablation: neurons or heads set to zero or to a mean, each row of a batch with its own set."""

from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

from pipeline_lib.interventions.batching import batches, default_batch_size
from pipeline_lib.interventions.hooks import Edit, Site, check_finite, hooked, last_logits, on_site
from pipeline_lib.models.loading import LanguageModel

Where = Literal["all", "last"]


def ablate_neurons(
    model: LanguageModel,
    tokens: Int[Tensor, "row token"],
    mask: Bool[Tensor, "row layer d_mlp"],
    *,
    value: Literal["zero"] | Float[Tensor, "layer token d_mlp"] = "zero",
    positions: Where = "all",
    batch_size: int | None = None,
) -> Float[Tensor, "row vocab"]:
    """Last-position logits with each row's masked MLP neurons (True) ablated, on the CPU.

    ``value`` is "zero" or the mean activation at each layer and token position; ``positions``
    ablates at all token positions or at the last only. A row may repeat a prompt with another set.
    Raises ActivationError for NaN or infinite logits.
    """
    parts = _iter_ablated(model, "mlp_post", tokens, mask, value, positions, batch_size)
    logits = [part.cpu() for _, part in parts]
    return torch.cat(logits) if logits else torch.empty(0, model.d_vocab)


def ablate_heads(
    model: LanguageModel,
    tokens: Int[Tensor, "row token"],
    mask: Bool[Tensor, "row layer head"],
    *,
    value: Literal["zero"] | Float[Tensor, "layer token head d_head"] = "zero",
    positions: Where = "all",
    batch_size: int | None = None,
) -> Float[Tensor, "row vocab"]:
    """The same for attention heads: z of each row's masked heads is replaced."""
    parts = _iter_ablated(model, "z", tokens, mask[..., None], value, positions, batch_size)
    logits = [part.cpu() for _, part in parts]
    return torch.cat(logits) if logits else torch.empty(0, model.d_vocab)


def predict_ablated(
    model: LanguageModel,
    tokens: Int[Tensor, "row token"],
    mask: Bool[Tensor, "row layer d_mlp"],
    *,
    value: Literal["zero"] | Float[Tensor, "layer token d_mlp"] = "zero",
    positions: Where = "all",
    batch_size: int | None = None,
) -> Int64[Tensor, " row"]:
    """Most probable next token of each row under `ablate_neurons`, without keeping logits."""
    predicted = torch.empty(len(tokens), dtype=torch.int64)
    parts = _iter_ablated(model, "mlp_post", tokens, mask, value, positions, batch_size)
    for rows, logits in parts:
        predicted[rows] = logits.argmax(-1).cpu()
    return predicted


@torch.no_grad()
def _iter_ablated(
    model: LanguageModel,
    site: Site,
    tokens: Int[Tensor, "row token"],
    mask: Bool[Tensor, "row layer *unit"],
    value: Literal["zero"] | Float[Tensor, "layer token *width"],
    positions: Where,
    batch_size: int | None,
) -> Iterator[tuple[slice, Float[Tensor, "batch vocab"]]]:
    for rows in batches(len(tokens), batch_size or default_batch_size(model, tokens.shape[1])):
        chosen = mask[rows]
        hooks = [
            on_site(model, site, layer, _edit(chosen[:, layer], value, layer, positions))
            for layer in range(model.n_layers)
            if chosen[:, layer].any()
        ]
        with hooked(hooks):
            logits = last_logits(model, tokens[rows])
        check_finite(logits, f"{model.name}: logits after ablating {site}")
        yield rows, logits


def _edit(
    mask: Bool[Tensor, "batch *unit"],
    value: Literal["zero"] | Float[Tensor, "layer token *width"],
    layer: int,
    positions: Where,
) -> Edit:
    start = -1 if positions == "last" else 0

    def edit(x: Tensor) -> Tensor:
        chosen = mask.to(x.device)[:, None]
        filling = torch.zeros((), dtype=x.dtype, device=x.device)
        if isinstance(value, Tensor):
            filling = value[layer, start:].to(x.device, x.dtype)
        ablated = torch.where(chosen, filling, x[:, start:])
        return torch.cat([x[:, :start], ablated], 1) if start else ablated

    return edit
