"""Suffix passes: what changes at some layer and positions do to the last position's logits.

A change leaves all layers below and all positions before it as in the clean run, so a row joins the
batch at its own layer and runs the remaining layers from its first changed position on. A pass goes
through the layers once; rows of all starting positions share its norms, projections and MLPs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pipeline_lib.interventions.blocks import Block, Entries, Part, Suffix
from pipeline_lib.interventions.clean import CleanRun
from pipeline_lib.interventions.hooks import Hook, hooked
from pipeline_lib.interventions.memory import keep_freed_memory
from pipeline_lib.interventions.readout import Readout
from pipeline_lib.models.loading import LanguageModel

Edits = Callable[[int, int], Iterable[Hook]]
"""Hooks of a layer, given its number and the number of rows that run it (the first ones)."""


@dataclass(frozen=True)
class Rows:
    """Rows of a pass, ascending in ``start``, those of one start ascending in ``layer``.

    A row runs the layers from ``layer`` on (``n_layers``: none) at the positions from ``start`` on.
    """

    prompt: Int64[Tensor, " row"]
    layer: Int64[Tensor, " row"]
    start: Int64[Tensor, " row"]

    def __len__(self) -> int:
        return len(self.prompt)


@dataclass(frozen=True)
class Altered:
    """What replaces a row's clean residual where it joins: vectors at some positions."""

    position: Int64[Tensor, "row changed"]
    resid: Float[Tensor, "row changed d_model"]


@dataclass(frozen=True)
class _Group:
    """Rows of one start: their place among all rows, and how many run each layer."""

    suffix: Suffix
    first: int
    counts: list[int]
    prompt: Int64[Tensor, " row"]


class SuffixEngine:
    """Suffix passes over one model; it holds no activations."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.readout = Readout(model)
        self.blocks = [Block(model, layer) for layer in range(model.n_layers)]
        if model.device.type == "cpu":
            keep_freed_memory()

    def last_residual(
        self,
        clean: CleanRun,
        rows: Rows,
        *,
        altered: Altered | None = None,
        edits: Edits | None = None,
    ) -> Float[Tensor, "row d_model"]:
        """Residual leaving the last layer at the last position, for each row.

        A row enters its first layer with its prompt's clean residual, ``altered`` at the positions
        named there. ``edits`` are in force while the layers run; they need rows of one start.
        """
        groups = self._groups(rows, clean.n_tokens)
        last = self.model.n_layers - 1
        resid = clean.resid[0].new_empty(0, self.model.d_model)
        before = [0] * len(groups)
        for layer, block in enumerate(self.blocks):
            counts = [group.counts[layer] for group in groups]
            if not any(counts):
                continue
            resid = resid.to(block.device)  # rows follow the layers over several GPUs
            resid = _joined(resid, clean.resid[layer], groups, before, counts, altered)
            before = counts
            parts = [_part(g, n, clean, layer) for g, n in zip(groups, counts, strict=True) if n]
            with hooked(edits(layer, sum(counts)) if edits else ()):
                resid = block.advance(resid, parts, last_only=layer == last)
        return self._leaving(resid, clean, groups, before, altered)

    def _groups(self, rows: Rows, n_tokens: int) -> list[_Group]:
        layers = torch.arange(self.model.n_layers + 1)
        groups = []
        starts, sizes = rows.start.unique_consecutive(return_counts=True)
        ends = sizes.cumsum(0).tolist()
        for start, size, end in zip(starts.tolist(), sizes.tolist(), ends, strict=True):
            mine = slice(end - size, end)
            counts = torch.searchsorted(rows.layer[mine].contiguous(), layers, right=True).tolist()
            suffix = Suffix.of(self.model, start, n_tokens)
            groups.append(_Group(suffix, mine.start, counts, rows.prompt[mine]))
        return groups

    def _leaving(
        self,
        resid: Float[Tensor, "ran d_model"],
        clean: CleanRun,
        groups: list[_Group],
        before: list[int],
        altered: Altered | None,
    ) -> Float[Tensor, "row d_model"]:
        """All rows at the last position: those that ran layers, and those that join after all."""
        end = self.model.n_layers
        pieces = []
        resid = resid.to(clean.resid[end].device)
        for group, old, ran in zip(groups, before, resid.split(before), strict=True):
            pieces += [ran, _fresh(clean.resid[end], group, old, group.counts[end], altered)[:, -1]]
        return torch.cat(pieces)


def _joined(
    resid: Float[Tensor, "running d_model"],
    entering: Float[Tensor, "prompt token d_model"],
    groups: list[_Group],
    before: list[int],
    counts: list[int],
    altered: Altered | None,
) -> Entries:
    """The running rows with those that join at this layer, each group's rows together."""
    if before == counts:
        return resid
    sizes = [old * group.suffix.n_positions for old, group in zip(before, groups, strict=True)]
    pieces = []
    for group, old, count, running in zip(groups, before, counts, resid.split(sizes), strict=True):
        pieces.append(running)
        if old < count:
            fresh = _fresh(entering, group, old, count, altered).flatten(0, 1)
            pieces.append(fresh.to(resid.device))
    return torch.cat(pieces)


def _fresh(
    entering: Float[Tensor, "prompt token d_model"],
    group: _Group,
    old: int,
    count: int,
    altered: Altered | None,
) -> Float[Tensor, "row pos d_model"]:
    """What the group's rows ``old`` to ``count`` enter a layer with."""
    start = group.suffix.start
    prompt = group.prompt[old:count].to(entering.device)
    fresh = entering[:, start:].index_select(0, prompt)
    if altered is not None:
        mine = slice(group.first + old, group.first + count)
        row = torch.arange(count - old)[:, None]
        where = (row.to(entering.device), (altered.position[mine] - start).to(entering.device))
        fresh.index_put_(where, altered.resid[mine].to(entering.device))
    return fresh


def _part(group: _Group, n_rows: int, clean: CleanRun, layer: int) -> Part:
    before = clean.before(layer, group.suffix.start, group.prompt[:n_rows])
    return Part(n_rows, group.suffix.to(before[0].device), before)
