"""Suffix passes: what a change at one layer and position does to the last position's logits.

A change leaves all layers below and all positions before it as in the clean run, so a row joins the
batch at its own layer and runs the remaining layers from its position on. All rows of a pass share
the position; rows that join early come first, so the batch grows at its end.
"""

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pipeline_lib.interventions.blocks import Block, Resid, Suffix
from pipeline_lib.interventions.clean import CleanRun
from pipeline_lib.interventions.hooks import Hook, hooked, metric_dtype
from pipeline_lib.models.loading import LanguageModel

Edits = Callable[[int, int], Iterable[Hook]]
"""Hooks of a layer, given its number and the number of rows that run it (the first ones)."""


class SuffixEngine:
    """Suffix passes over one model; it holds no activations."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.blocks = [Block(model, layer) for layer in range(model.n_layers)]
        self.unembedding_device = next(model.unembedding.parameters()).device

    def last_residual(
        self,
        clean: CleanRun,
        start: int,
        joins: Int64[Tensor, " row"],
        prompts: Int64[Tensor, " row"],
        *,
        altered: Float[Tensor, "row changed d_model"] | None = None,
        edits: Edits | None = None,
    ) -> Float[Tensor, "row d_model"]:
        """Residual leaving the last layer at the last position, for each row.

        Row r runs the layers from ``joins[r]`` (ascending) on, at the positions from ``start`` on.
        It enters them with the clean residual of prompt ``prompts[r]``, whose first positions are
        replaced by ``altered[r]``. ``edits`` are in force while the layers run.
        """
        n_layers = self.model.n_layers
        counts = torch.searchsorted(joins, torch.arange(n_layers + 1), right=True).tolist()
        suffix = Suffix.of(self.model, start, clean.n_tokens)
        resid = clean.resid[0].new_empty(0, clean.n_tokens - start, self.model.d_model)
        for layer, count in enumerate(counts):
            rows = slice(len(resid), count)
            resid = resid.to(clean.resid[layer].device)
            if rows.start < rows.stop:
                part = None if altered is None else altered[rows]
                fresh = _joining(clean.resid[layer], start, prompts[rows], part)
                resid = torch.cat([resid, fresh[:, -resid.shape[1] :]])
            if layer < n_layers and count:
                suffix = suffix.to(resid.device)
                before = clean.before(layer, start, prompts[:count])
                last_only = layer == n_layers - 1
                with hooked(edits(layer, count) if edits else ()):
                    resid = self.blocks[layer].advance(resid, suffix, before, last_only=last_only)
        return resid[:, -1]

    def unembed(self, resid: Float[Tensor, "row d_model"]) -> Float[Tensor, "row vocab"]:
        """Logits of residuals leaving the last layer, in the type of the metrics."""
        normed = self.model.final_norm(resid)
        logits: Tensor = self.model.unembedding(normed.to(self.unembedding_device))
        return logits.to(metric_dtype(self.model))


def _joining(
    resid: Float[Tensor, "prompt token d_model"],
    start: int,
    prompts: Int64[Tensor, " row"],
    altered: Float[Tensor, "row changed d_model"] | None,
) -> Resid:
    """Clean residual of each row's prompt from ``start`` on, its first positions altered."""
    fresh = resid[:, start:].index_select(0, prompts.to(resid.device))
    if altered is not None:
        fresh[:, : altered.shape[1]] = altered.to(resid.device)
    return fresh
