"""Mean activations of many prompts, each distinct prefix computed once.

The activations at a position depend on the tokens up to it alone, so the prompts' prefixes form a
tree (one BOS, the first operands, the operand-operator pairs, ...). A node is one position of one
forward pass, with the keys and values of its ancestors; it counts once for every prompt below it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor
from transformers.cache_utils import DynamicCache

from pipeline_lib.interventions.batching import batches, clean_rows
from pipeline_lib.interventions.capture import Activations
from pipeline_lib.interventions.hooks import (
    Edit,
    Site,
    check_finite,
    hooked,
    metric_dtype,
    on_site,
)
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.pieces import Loop

Past = list[tuple[Tensor, Tensor]]
"""Keys and values [node kv_head token d_head] of each layer at the positions before the nodes."""


def mean_activations(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    sites: Sequence[Site] = ("z", "mlp_post"),
    *,
    batch_size: int | None = None,
) -> Activations:
    """Mean over prompts of each site at every position and layer, as activations of one prompt.

    Summed in float64, at most ``batch_size`` nodes at a time; memory does not depend on the number
    of prompts. ``tokens`` of the result is the first prompt. Raises ValueError without prompts,
    ActivationError for NaN or infinite means.
    """
    if not len(tokens):
        raise ValueError("the mean of no prompts is not defined")
    tree = PrefixTree(model, tokens, sites, batch_size or clean_rows(model, tokens.shape[1]))
    tree.descend(-1, torch.zeros(1, dtype=torch.int64), len(tree.prompts), [])
    means = {site: tree.mean(site, len(tokens)) for site in sites}
    layers, positions = tuple(range(model.n_layers)), tuple(range(tokens.shape[1]))
    return Activations(tokens[:1].cpu(), positions, layers, **means)


class PrefixTree:
    """Distinct prompts in lexicographic order, so that prefixes are neighbours, and sums so far."""

    def __init__(
        self,
        model: LanguageModel,
        tokens: Int[Tensor, "prompt token"],
        sites: Sequence[Site],
        batch_size: int,
    ) -> None:
        self.model, self.sites, self.batch_size = model, sites, batch_size
        self.prompts, counts = tokens.cpu().unique(dim=0, return_counts=True)
        self.below = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
        self.n_nodes = 0
        self.sums: dict[tuple[Site, int, int], Tensor] = {}
        self.loop = Loop.begin()
        self.n_leaves, self.n_kept = 0, 0
        self._take_up()

    @property
    def _leaf_keys(self) -> list[tuple[Site, int, int]]:
        last = self.prompts.shape[1] - 1
        return [(site, layer, last) for site in self.sites for layer in range(self.model.n_layers)]

    def _take_up(self) -> None:
        """Start from the sums over leaves that an earlier attempt kept.

        Nearly all nodes are leaves; those above them are few, and run again.
        """
        kept = self.loop.kept(0)
        if kept is not None and int(kept[1]) == self.batch_size:
            self.n_kept = int(kept[0])
            sums = map(torch.from_numpy, kept[2:])
            self.sums |= dict(zip(self._leaf_keys, sums, strict=True))

    def _keep(self) -> None:
        """Keep the sums over the leaves so far, where it is time."""
        if self.loop.is_due():
            sums = (self.sums[key].cpu().numpy() for key in self._leaf_keys)
            counts = np.array(self.n_leaves), np.array(self.batch_size)
            self.loop.keep(0, (*counts, *sums))

    def descend(self, depth: int, parents: Int64[Tensor, " node"], end: int, past: Past) -> None:
        """Add up all nodes below some nodes of one depth (-1: the root, which has no token).

        ``parents`` are the nodes' first prompts, ascending; the last node ends before ``end``.
        """
        children = self._children(depth, int(parents[0]), end)
        for part in batches(len(children), self.batch_size):
            nodes = children[part]
            stop = int(children[part.stop]) if part.stop < len(children) else end
            rows = torch.searchsorted(parents, nodes, right=True) - 1
            kept = self._run(depth + 1, nodes, stop, _rows(past, rows))
            if depth + 2 < self.prompts.shape[1]:
                self.descend(depth + 1, nodes, stop, kept)

    def mean(self, site: Site, n_prompts: int) -> Float[Tensor, "1 token layer *width"]:
        """Mean of one site over ``n_prompts`` prompts."""
        dtype, layers = metric_dtype(self.model), range(self.model.n_layers)
        columns = range(self.prompts.shape[1])
        rows = [torch.stack([self.sums[site, layer, t].cpu() for layer in layers]) for t in columns]
        means = (torch.stack(rows) / n_prompts).to(dtype)[None]
        check_finite(means, f"{self.model.name}: mean activations, {site}")
        return means

    def _children(self, depth: int, first: int, end: int) -> Int64[Tensor, " child"]:
        """First prompts of the nodes one level below ``depth``, within a range of prompts."""
        prefixes = self.prompts[first:end, : depth + 2]
        new: Bool[Tensor, " prompt"] = torch.ones(end - first, dtype=torch.bool)
        new[1:] = (prefixes[1:] != prefixes[:-1]).any(1)
        return new.nonzero()[:, 0] + first

    def _run(self, depth: int, starts: Int64[Tensor, " node"], end: int, past: Past) -> Past:
        """Compute one position of some nodes, add it to the sums; keys and values up to it."""
        are_leaves = depth == self.prompts.shape[1] - 1
        self.n_leaves += len(starts) if are_leaves else 0
        if are_leaves and self.n_leaves <= self.n_kept:
            return []
        ends = torch.cat([starts[1:], torch.tensor([end])])
        weights = (self.below[ends] - self.below[starts]).double()
        self.n_nodes += len(starts)
        # an empty cache is filled by hand: transformers extends it by the node's own position
        cache: Any = DynamicCache(config=self.model.hf.config)
        for layer, (keys, values) in enumerate(past):
            cache.update(keys, values, layer)
        hooks = [
            on_site(self.model, site, layer, self._adding(site, layer, depth, weights))
            for site in self.sites
            for layer in range(self.model.n_layers)
        ]
        tokens = self.prompts[starts, depth][:, None].to(self.model.device)
        with hooked(hooks), torch.inference_mode():
            self.model.hf.base_model(input_ids=tokens, past_key_values=cache, use_cache=True)
        if are_leaves:
            self._keep()
        return [(layer.keys, layer.values) for layer in cache.layers]

    def _adding(self, site: Site, layer: int, depth: int, weights: Float[Tensor, " node"]) -> Edit:
        def read(x: Tensor) -> None:
            total = torch.tensordot(weights.to(x.device), x[:, 0].double(), 1)
            key = (site, layer, depth)
            self.sums[key] = self.sums[key].to(x.device) + total if key in self.sums else total

        return read


def _rows(past: Past, rows: Int64[Tensor, " row"]) -> Past:
    return [(keys[rows.to(keys.device)], values[rows.to(keys.device)]) for keys, values in past]
