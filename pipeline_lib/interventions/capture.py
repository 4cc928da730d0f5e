"""Recording activations: z, mlp_post and resid_post at the layers and positions asked for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from pipeline_lib.interventions.batching import default_batch_size, resumed_batches, run_batches
from pipeline_lib.interventions.hooks import (
    EMBEDDED,
    SITES,
    Site,
    check_finite,
    hooked,
    last_logits,
    metric_dtype,
    on_site,
)
from pipeline_lib.models.loading import LanguageModel


@dataclass(frozen=True)
class Activations:
    """Activations of prompts, on the CPU in float32 (float64 for a float64 model).

    ``positions`` and ``layers`` are the coordinates of the axes ``pos`` and ``layer``: columns of
    ``tokens`` (never negative) and layer numbers. A site that was not asked for is None, and so
    are the last-position ``logits`` when they were not kept.
    """

    tokens: Int[Tensor, "prompt token"]
    positions: tuple[int, ...]
    layers: tuple[int, ...]
    z: Float[Tensor, "prompt pos layer head d_head"] | None = None
    mlp_post: Float[Tensor, "prompt pos layer d_mlp"] | None = None
    resid_post: Float[Tensor, "prompt pos layer d_model"] | None = None
    logits: Float[Tensor, "prompt vocab"] | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    def prompts(self, rows: slice | Int64[Tensor, " chosen"]) -> "Activations":
        """The same for some of the prompts."""
        chosen: dict[str, Any] = {name: value[rows] for name, value in self.arrays().items()}
        return replace(self, **chosen)

    def at(self, positions: Sequence[int]) -> "Activations":
        """The sites at some of the positions held; negative ones count from the prompts' end."""
        chosen = resolve_positions(positions, self.tokens.shape[1])
        columns = [self.positions.index(position) for position in chosen]
        kept: dict[str, Any] = {
            name: value[:, columns] for name, value in self.arrays().items() if name in SITES
        }
        return replace(self, positions=chosen, **kept)

    def arrays(self) -> dict[str, Tensor]:
        """Every tensor that is present, by name."""
        names = ("tokens", *SITES, "logits")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def site(self, site: Site) -> Tensor:
        """The tensor of one site; ValueError when it was not captured."""
        values: Tensor | None = getattr(self, site)
        if values is None:
            raise ValueError(f"these activations hold no {site}")
        return values


def resolve_positions(positions: Sequence[int] | None, n_tokens: int) -> tuple[int, ...]:
    """Columns of the token table: None means all, negative positions count from the end."""
    if positions is None:
        return tuple(range(n_tokens))
    resolved = tuple(int(p) + n_tokens if p < 0 else int(p) for p in positions)
    if any(not 0 <= p < n_tokens for p in resolved):
        raise ValueError(f"positions {tuple(positions)} do not lie in a prompt of {n_tokens}")
    return resolved


def resolve_layers(
    layers: Sequence[int] | None, n_layers: int, sites: Sequence[Site] = SITES
) -> tuple[int, ...]:
    """Layer numbers: None means all; `EMBEDDED` is one where ``sites`` is resid_post alone."""
    chosen = tuple(range(n_layers)) if layers is None else tuple(int(layer) for layer in layers)
    lowest = EMBEDDED if set(sites) == {"resid_post"} else 0
    if any(not lowest <= layer < n_layers for layer in chosen):
        raise ValueError(f"layers {chosen} do not lie in a model of {n_layers}")
    return chosen


def iter_captured(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    sites: Sequence[Site] = SITES,
    *,
    layers: Sequence[int] | None = None,
    positions: Sequence[int] | None = None,
    batch_size: int | None = None,
    keep_logits: bool = True,
    check: bool = True,
) -> Iterator[Activations]:
    """Activations batch by batch; memory does not depend on the number of prompts.

    Raises ActivationError naming layer and site for NaN or infinite values, unless ``check`` is
    False (then the caller counts them).
    """
    positions = resolve_positions(positions, tokens.shape[1])
    layers = resolve_layers(layers, model.n_layers, sites)
    batch_size = batch_size or default_batch_size(model, tokens.shape[1])

    def run(rows: slice) -> Activations:
        return _capture_batch(model, tokens[rows], sites, layers, positions, keep_logits, check)

    for _, part in run_batches(len(tokens), batch_size, run):
        yield part


def iter_reduced(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    reduce: Callable[[Activations], tuple[Tensor, ...]],
    sites: Sequence[Site] = SITES,
    *,
    layers: Sequence[int] | None = None,
    positions: Sequence[int] | None = None,
    batch_size: int | None = None,
    keep_logits: bool = True,
) -> Iterator[tuple[slice, tuple[Tensor, ...]]]:
    """What ``reduce`` makes of the activations of each batch of prompts, with their slice.

    Batches whose results an earlier attempt at the stage kept are not run (`resumed_batches`).
    Raises ActivationError naming layer and site for NaN or infinite values.
    """
    positions = resolve_positions(positions, tokens.shape[1])
    layers = resolve_layers(layers, model.n_layers, sites)

    def run(rows: slice) -> tuple[Tensor, ...]:
        found = _capture_batch(model, tokens[rows], sites, layers, positions, keep_logits, True)
        return reduce(found)

    batch_size = batch_size or default_batch_size(model, tokens.shape[1])
    yield from resumed_batches(len(tokens), batch_size, run)


def capture(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    sites: Sequence[Site] = SITES,
    *,
    layers: Sequence[int] | None = None,
    positions: Sequence[int] | None = None,
    batch_size: int | None = None,
    keep_logits: bool = True,
    check: bool = True,
) -> Activations:
    """Activations of all prompts in one piece (see `iter_captured` for many prompts).

    Raises ActivationError naming layer and site for NaN or infinite values, unless ``check`` is
    False.
    """
    parts = list(
        iter_captured(
            model,
            tokens,
            sites,
            layers=layers,
            positions=positions,
            batch_size=batch_size,
            keep_logits=keep_logits,
            check=check,
        )
    )
    if not parts:
        return _no_prompts(model, tokens, sites, layers, positions, keep_logits)
    joined: dict[str, Any] = {
        name: torch.cat([part.arrays()[name] for part in parts]) for name in parts[0].arrays()
    }
    return replace(parts[0], **joined)


@torch.no_grad()
def predict_tokens(
    model: LanguageModel, tokens: Int[Tensor, "prompt token"], *, batch_size: int | None = None
) -> Int64[Tensor, " prompt"]:
    """Most probable next token of each prompt; ActivationError when logits are not finite."""
    batch_size = batch_size or default_batch_size(model, tokens.shape[1])
    predicted = torch.empty(len(tokens), dtype=torch.int64)

    def predict(rows: slice) -> tuple[Tensor]:
        logits = last_logits(model, tokens[rows])
        check_finite(logits, f"{model.name}: logits")
        return (logits.argmax(-1).cpu(),)

    for rows, (found,) in resumed_batches(len(tokens), batch_size, predict):
        predicted[rows] = found
    return predicted


@torch.no_grad()
def _capture_batch(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    sites: Sequence[Site],
    layers: tuple[int, ...],
    positions: tuple[int, ...],
    keep_logits: bool,
    check: bool,
) -> Activations:
    kept: dict[tuple[Site, int], Tensor] = {}
    chosen = list(positions)

    def keep(site: Site, layer: int) -> Any:
        def read(x: Tensor) -> None:
            # a copy: indexing with a list never gives a view of a tensor the model may reuse
            values = x[:, chosen].to("cpu", metric_dtype(model))
            if check:
                check_finite(values, f"{model.name}: layer {layer}, {site}")
            kept[site, layer] = values

        return read

    with hooked(on_site(model, s, layer, keep(s, layer)) for s in sites for layer in layers):
        logits = last_logits(model, tokens).cpu()
    if check:
        check_finite(logits, f"{model.name}: logits")
    stacked = {site: torch.stack([kept[site, layer] for layer in layers], 2) for site in sites}
    kept_logits = logits if keep_logits else None
    return Activations(tokens.cpu(), positions, layers, **stacked, logits=kept_logits)


def _no_prompts(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    sites: Sequence[Site],
    layers: Sequence[int] | None,
    positions: Sequence[int] | None,
    keep_logits: bool,
) -> Activations:
    positions = resolve_positions(positions, tokens.shape[1])
    layers = resolve_layers(layers, model.n_layers, sites)
    widths: dict[Site, tuple[int, ...]] = {
        "z": (model.n_heads, model.d_head),
        "mlp_post": (model.d_mlp,),
        "resid_post": (model.d_model,),
    }
    empty = {
        site: torch.empty(0, len(positions), len(layers), *widths[site], dtype=metric_dtype(model))
        for site in sites
    }
    logits = torch.empty(0, model.d_vocab, dtype=metric_dtype(model)) if keep_logits else None
    return Activations(tokens.cpu(), positions, layers, **empty, logits=logits)
