"""Attention patterns of plain runs: how much every position attends to every one before it."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from pipeline_lib.interventions.batching import default_batch_size, run_batches
from pipeline_lib.interventions.blocks import Block, Suffix
from pipeline_lib.interventions.capture import resolve_layers, resolve_positions
from pipeline_lib.interventions.clean import check_window
from pipeline_lib.interventions.hooks import (
    Hook,
    check_finite,
    hooked,
    last_logits,
    metric_dtype,
)
from pipeline_lib.models.loading import LanguageModel

Patterns = Float[Tensor, "prompt layer head query key"]


def iter_attention(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    *,
    layers: Sequence[int] | None = None,
    queries: Sequence[int] | None = None,
    batch_size: int | None = None,
) -> Iterator[Patterns]:
    """Attention patterns batch by batch, float32 (float64 of a float64 model), on the CPU.

    ``layers`` None means all; ``queries`` are the attending positions (None: all, negative ones
    count from the end). Each row [key] sums to 1 and is 0 after the query. Query heads that share
    keys each have their own. Memory does not depend on the number of prompts. Raises
    ActivationError for NaN or infinite patterns, ModelError for prompts that do not fit into the
    model's sliding window.
    """
    n_tokens = tokens.shape[1]
    check_window(model, n_tokens)
    chosen = resolve_layers(layers, model.n_layers)
    asking = torch.tensor(resolve_positions(queries, n_tokens), dtype=torch.int64)
    # the patterns of all layers stay until the batch is done
    batch_size = batch_size or default_batch_size(model, n_tokens, layers_kept=max(1, len(chosen)))

    def run(rows: slice) -> Patterns:
        return _run_batch(model, tokens[rows], chosen, asking)

    for _, part in run_batches(len(tokens), batch_size, run):
        yield part


def attention_patterns(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    *,
    layers: Sequence[int] | None = None,
    queries: Sequence[int] | None = None,
    batch_size: int | None = None,
) -> Patterns:
    """Attention patterns of all prompts in one piece (see `iter_attention`)."""
    n_tokens = tokens.shape[1]
    parts = list(
        iter_attention(model, tokens, layers=layers, queries=queries, batch_size=batch_size)
    )
    shape = (
        0,
        len(resolve_layers(layers, model.n_layers)),
        model.n_heads,
        len(resolve_positions(queries, n_tokens)),
        n_tokens,
    )
    return torch.cat([torch.empty(shape, dtype=metric_dtype(model)), *parts])


@torch.no_grad()
def _run_batch(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    layers: tuple[int, ...],
    asking: Int64[Tensor, " query"],
) -> Patterns:
    """The model's own pass; patterns are computed again from what enters each layer's attention."""
    n_tokens = tokens.shape[1]
    suffix = Suffix.of(model, 0, n_tokens)
    kept: dict[int, Tensor] = {}

    def keep(layer: int) -> Any:
        block = Block(model, layer)

        def read(normed: Tensor) -> None:
            pattern = _pattern(block, normed, suffix.to(normed.device), asking.to(normed.device))
            kept[layer] = pattern.to("cpu", metric_dtype(model))
            check_finite(kept[layer], f"{model.name}: layer {layer}, attention")

        return Hook(block.attention_norm, "output", read)

    with hooked(keep(layer) for layer in layers):
        last_logits(model, tokens)
    return torch.stack([kept[layer] for layer in layers], 1)


def _pattern(
    block: Block,
    normed: Float[Tensor, "prompt token d_model"],
    suffix: Suffix,
    asking: Int64[Tensor, " query"],
) -> Float[Tensor, "prompt head query token"]:
    n_prompts, n_tokens, _ = normed.shape
    turns = (
        None if angles is None else angles.repeat(n_prompts, 1, 1)
        for angles in (suffix.cos, suffix.sin)
    )
    first = torch.arange(n_prompts, device=normed.device)[:, None] * n_tokens
    entries = (first + asking).flatten()
    queries, keys, _ = block.project(normed.flatten(0, 1), *turns, asking=entries)
    return block.pattern(
        queries.unflatten(0, (n_prompts, -1)),
        keys.unflatten(0, (n_prompts, n_tokens)).transpose(1, 2),
        suffix.mask[asking],
    )
