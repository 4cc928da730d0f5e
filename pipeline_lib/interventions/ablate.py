"""Ablation: heads and neurons set to zero, to a mean or to other prompts' values, row by row.

Rows share work: a prompt's clean run is made once however many rows repeat it, a row joins the
batch at the first layer in which something of it is ablated, and ablating at the last position
computes the last position alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Float64, Int, Int64
from torch import Tensor

from pipeline_lib.interventions.batching import clean_rows, logit_rows, run_batches, suffix_rows
from pipeline_lib.interventions.capture import Activations, resolve_positions
from pipeline_lib.interventions.clean import CleanRun, run_clean
from pipeline_lib.interventions.hooks import Edit, Hook, Site, check_finite, metric_dtype, on_site
from pipeline_lib.interventions.suffix import Rows, SuffixEngine
from pipeline_lib.models.loading import LanguageModel

Where = Literal["all", "last"] | Sequence[int]
"""Token positions at which units are ablated."""
Zero = Literal["zero"]
Masks = dict[Site, Bool[Tensor, "set layer *unit"]]


def ablate(
    model: LanguageModel,
    tokens: Int[Tensor, "row token"],
    *,
    heads: Bool[Tensor, "row layer head"] | None = None,
    neurons: Bool[Tensor, "row layer d_mlp"] | None = None,
    value: Zero | Activations = "zero",
    positions: Where = "all",
    batch_size: int | None = None,
) -> Float[Tensor, "row vocab"]:
    """Last-position logits with each row's masked heads and neurons (True) ablated, on the CPU.

    ``value`` is "zero", or activations of all layers and positions: of one prompt (means, used for
    every row) or of one prompt a row (resampling; with counterfactual prompts this patches any
    number of components at once). A row may repeat a prompt with another set.
    Raises ActivationError for NaN or infinite logits.
    """
    ablation = _Ablation.of(heads, neurons, value=value, sets=torch.arange(len(tokens)))
    return _collect(model, tokens, ablation, positions, batch_size)


def ablate_circuits(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    *,
    heads: Bool[Tensor, "circuit layer head"] | None = None,
    neurons: Bool[Tensor, "circuit layer d_mlp"] | None = None,
    value: Zero | Activations = "zero",
    positions: Where = "all",
    batch_size: int | None = None,
) -> Float[Tensor, "circuit prompt vocab"]:
    """Logits of every prompt under every circuit, of which the True heads and neurons are kept.

    All others of the kinds given are ablated (see `ablate`; None leaves a kind alone).
    ``value`` holds one prompt (means) or one a prompt (resampling).
    """
    n_circuits = len(next(kept for kept in (heads, neurons) if kept is not None))
    removed = (None if kept is None else ~kept for kept in (heads, neurons))
    sets = torch.arange(n_circuits).repeat_interleave(len(tokens))
    ablation = _Ablation.of(*removed, value=value, sets=sets)
    every = tokens.repeat(n_circuits, 1)
    logits = _collect(model, every, ablation, positions, batch_size)
    return logits.unflatten(0, (n_circuits, len(tokens)))


def ablate_neurons(
    model: LanguageModel,
    tokens: Int[Tensor, "row token"],
    mask: Bool[Tensor, "row layer d_mlp"],
    *,
    value: Zero | Float[Tensor, "layer token d_mlp"] = "zero",
    positions: Where = "all",
    batch_size: int | None = None,
) -> Float[Tensor, "row vocab"]:
    """`ablate` of neurons alone; ``value`` may be the means of each layer and token position."""
    ablation = _Ablation.of_site("mlp_post", mask, value)
    return _collect(model, tokens, ablation, positions, batch_size)


def ablate_heads(
    model: LanguageModel,
    tokens: Int[Tensor, "row token"],
    mask: Bool[Tensor, "row layer head"],
    *,
    value: Zero | Float[Tensor, "layer token head d_head"] = "zero",
    positions: Where = "all",
    batch_size: int | None = None,
) -> Float[Tensor, "row vocab"]:
    """The same for attention heads: z of each row's masked heads is replaced."""
    ablation = _Ablation.of_site("z", mask, value)
    return _collect(model, tokens, ablation, positions, batch_size)


def predict_ablated(
    model: LanguageModel,
    tokens: Int[Tensor, "row token"],
    masks: Bool[Tensor, "set layer d_mlp"],
    *,
    sets: Int64[Tensor, " row"] | None = None,
    value: Zero | Float[Tensor, "filling layer token d_mlp"] = "zero",
    fillings: Int64[Tensor, " row"] | None = None,
    positions: Where = "all",
    batch_size: int | None = None,
) -> Int64[Tensor, " row"]:
    """Most probable next token of each row under `ablate_neurons`, without keeping logits.

    ``sets`` says which of the masks each row has, ``fillings`` which entry of ``value`` (means, or
    other prompts' activations); by default row r has mask r, and entry r modulo their number.
    """
    predicted = torch.empty(len(tokens), dtype=torch.int64)
    values: dict[Site, Tensor] = {"mlp_post": value} if isinstance(value, Tensor) else {}
    sets = torch.arange(len(masks)) if sets is None else sets
    ablation = _Ablation({"mlp_post": masks}, values, sets, fillings)
    for rows, logits in _iter_ablated(model, tokens, ablation, positions, batch_size):
        predicted[rows] = logits.argmax(-1).cpu()
    return predicted


def ablate_candidates(
    model: LanguageModel,
    tokens: Int[Tensor, "row token"],
    mask: Bool[Tensor, "row layer head"],
    token_ids: Int64[Tensor, "row candidate"],
    *,
    value: Zero | Float[Tensor, "layer token head d_head"] = "zero",
    positions: Where = "all",
    batch_size: int | None = None,
) -> Float64[Tensor, "row candidate"]:
    """`ablate_heads`, keeping the logits of each row's candidate tokens alone."""
    found = torch.empty(token_ids.shape, dtype=torch.float64)
    ablation = _Ablation.of_site("z", mask, value)
    for rows, logits in _iter_ablated(model, tokens, ablation, positions, batch_size):
        found[rows] = logits.cpu().double().gather(1, token_ids[rows])
    return found


@dataclass(frozen=True)
class _Ablation:
    """Sets of ablated units, which set each row has, and what replaces the units (else zero).

    Row r reads entry ``fillings[r]`` of the replacing values, else ``r % len(filling)``.
    """

    masks: Masks
    values: dict[Site, Float[Tensor, "filling layer token *width"]]
    sets: Int64[Tensor, " row"]
    fillings: Int64[Tensor, " row"] | None = None
    where: Bool[Tensor, " token"] | None = None

    def at(self, positions: Where, n_tokens: int) -> "_Ablation":
        """The same at some token positions."""
        if positions == "all":
            return replace(self, where=torch.ones(n_tokens, dtype=torch.bool))
        chosen = resolve_positions([-1] if positions == "last" else list(positions), n_tokens)
        where = torch.zeros(n_tokens, dtype=torch.bool)
        where[list(chosen)] = True
        return replace(self, where=where)

    @property
    def start(self) -> int:
        """The first of its positions."""
        assert self.where is not None
        return int(self.where.int().argmax())

    @classmethod
    def of(
        cls,
        heads: Bool[Tensor, "set layer head"] | None,
        neurons: Bool[Tensor, "set layer d_mlp"] | None,
        *,
        value: Zero | Activations,
        sets: Int64[Tensor, " row"],
    ) -> "_Ablation":
        given: dict[Site, Tensor | None] = {"z": heads, "mlp_post": neurons}
        masks = {site: mask for site, mask in given.items() if mask is not None}
        values: dict[Site, Tensor] = {}
        if isinstance(value, Activations):
            values = {site: value.site(site).transpose(1, 2) for site in masks}
        return cls(masks, values, sets)

    @classmethod
    def of_site(
        cls,
        site: Site,
        mask: Bool[Tensor, "set layer unit"],
        value: Zero | Float[Tensor, "layer token *width"],
    ) -> "_Ablation":
        values: dict[Site, Tensor] = {site: value[None]} if isinstance(value, Tensor) else {}
        return cls({site: mask}, values, torch.arange(len(mask)))

    def first_layers(self, n_layers: int) -> Int64[Tensor, " set"]:
        """First layer in which each set has a unit; ``n_layers`` where it has none."""
        touched = torch.stack([mask.flatten(2).any(-1) for mask in self.masks.values()]).any(0)
        none = torch.ones(len(touched), 1, dtype=torch.bool)
        return torch.cat([touched.cpu(), none], 1)[:, : n_layers + 1].int().argmax(1)

    def hooks(self, model: LanguageModel, layer: int, rows: Int64[Tensor, " row"]) -> list[Hook]:
        """The edits of one layer for the rows that run it."""
        chosen = {site: mask[self.sets[rows], layer] for site, mask in self.masks.items()}
        return [
            on_site(model, site, layer, self._edit(site, mask, layer, rows))
            for site, mask in chosen.items()
            if mask.any()
        ]

    def _edit(
        self,
        site: Site,
        mask: Bool[Tensor, "row unit"],
        layer: int,
        rows: Int64[Tensor, " row"],
    ) -> Edit:
        values, where = self.values.get(site), self.where
        assert where is not None
        source = rows if self.fillings is None else self.fillings[rows]

        def edit(entries: Tensor) -> Tensor:
            x = entries.unflatten(0, (len(rows), -1))
            # the pass may compute the last positions only
            here = where[-x.shape[1] :]
            units = mask[:, None] & here[:, None]
            units = (units[..., None] if site == "z" else units).to(x.device)
            if values is None:
                return x.masked_fill(units, 0).flatten(0, 1)
            filling = values[source % len(values), layer, -x.shape[1] :]
            return torch.where(units, filling.to(x.device, x.dtype), x).flatten(0, 1)

        return edit


def _collect(
    model: LanguageModel,
    tokens: Int[Tensor, "row token"],
    ablation: _Ablation,
    positions: Where,
    batch_size: int | None,
) -> Float[Tensor, "row vocab"]:
    result = torch.empty(len(tokens), model.d_vocab, dtype=metric_dtype(model))
    for rows, logits in _iter_ablated(model, tokens, ablation, positions, batch_size):
        result[rows] = logits.cpu()
    return result


@torch.inference_mode()
def _iter_ablated(
    model: LanguageModel,
    tokens: Int[Tensor, "row token"],
    ablation: _Ablation,
    positions: Where,
    batch_size: int | None,
) -> Iterator[tuple[Int64[Tensor, " part"], Float[Tensor, "part vocab"]]]:
    """Logits in parts, each with the numbers of its rows."""
    engine = SuffixEngine(model)
    ablation = ablation.at(positions, tokens.shape[1])
    distinct, prompt = tokens.cpu().unique(dim=0, return_inverse=True)
    joins = ablation.first_layers(model.n_layers)[ablation.sets]
    chunk = clean_rows(model, tokens.shape[1])
    runs = run_batches(len(distinct), chunk, lambda part: run_clean(model, distinct[part]))
    for part, clean in runs:
        inside = (prompt >= part.start) & (prompt < part.stop)
        rows = inside.nonzero()[:, 0]
        rows = rows[joins[rows].argsort(stable=True)]
        runner = _Pass(engine, clean, ablation, rows, joins[rows], prompt[rows] - part.start)
        for numbers, logits in runner.logits(batch_size):
            check_finite(logits, f"{model.name}: logits after ablation")
            yield numbers, logits


@dataclass(frozen=True)
class _Pass:
    """Rows of one clean run, ascending in the layer they join at."""

    engine: SuffixEngine
    clean: CleanRun
    ablation: _Ablation
    rows: Int64[Tensor, " row"]
    joins: Int64[Tensor, " row"]
    prompts: Int64[Tensor, " row"]

    def logits(
        self, batch_size: int | None
    ) -> Iterator[tuple[Int64[Tensor, " part"], Float[Tensor, "part vocab"]]]:
        """Logits of all rows in parts; rows without ablation have those of the clean run."""
        model = self.engine.model
        ablated = int((self.joins < model.n_layers).sum())
        if ablated < len(self.rows):
            clean = self.clean.logits[self.prompts[ablated:].to(self.clean.logits.device)]
            yield self.rows[ablated:], clean
        n_positions = self.clean.n_tokens - self.ablation.start
        size = batch_size or min(suffix_rows(model, n_positions), logit_rows(model))
        for part, logits in run_batches(ablated, size, self._run):
            yield self.rows[part], logits

    def _run(self, part: slice) -> Float[Tensor, "part vocab"]:
        rows = self.rows[part]

        def edits(layer: int, count: int) -> list[Hook]:
            return self.ablation.hooks(self.engine.model, layer, rows[:count])

        starts = torch.full_like(rows, self.ablation.start)
        joining = Rows(self.prompts[part], self.joins[part], starts)
        return self.engine.readout.logits(
            self.engine.last_residual(self.clean, joining, edits=edits)
        )
