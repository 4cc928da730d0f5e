"""Direct effects: what each head and MLP at the last position writes along a difference of logits.

The final norm is frozen: its scale is that of the clean run, so effects of all components add up to
the difference of logits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor, nn

from pipeline_lib.interventions.batching import default_batch_size, run_batches
from pipeline_lib.interventions.capture import Activations
from pipeline_lib.interventions.hooks import (
    EMBEDDED,
    Edit,
    Hook,
    Site,
    check_finite,
    hooked,
    last_logits,
    metric_dtype,
    on_site,
)
from pipeline_lib.models.loading import LanguageModel


@dataclass(frozen=True)
class DirectEffects:
    """Direct effect of each component on logit(first) - logit(second), in nats, on the CPU.

    ``rest`` is that of the embedding and of all biases: heads, MLPs and rest add up to the
    difference where the norm's scale is the run's own.
    """

    heads: Float[Tensor, "prompt layer head"]
    mlps: Float[Tensor, "prompt layer"]
    rest: Float[Tensor, " prompt"]


def direct_effects(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    token_ids: Int64[Tensor, "prompt 2"],
    *,
    ablated: Sequence[tuple[int, int]] = (),
    source: Activations | None = None,
) -> DirectEffects:
    """Direct effects at the last position, in a run in which components there are ablated.

    ``ablated`` are (layer, component) at the last position, components numbered as in `Patches`
    (heads, then the MLP), whose z or mlp_post is replaced by that of ``source``. The final norm's
    scale is always that of the clean run. Raises ActivationError for NaN or infinite values.
    """
    parts = []
    size = default_batch_size(model, tokens.shape[1])

    def run(rows: slice) -> DirectEffects:
        held = None if source is None else source.prompts(rows)
        return _effects(model, tokens[rows], token_ids[rows], ablated, held)

    for _, part in run_batches(len(tokens), size, run):
        parts.append(part)
    names = ("heads", "mlps", "rest")
    return DirectEffects(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


@torch.no_grad()
def _effects(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    token_ids: Int64[Tensor, "prompt 2"],
    ablated: Sequence[tuple[int, int]],
    source: Activations | None,
) -> DirectEffects:
    last = model.n_layers - 1
    clean = _seen(model, tokens, [("resid_post", last)], [])["resid_post", last]
    direction, constant = _frozen(model, clean, token_ids)
    wanted: list[tuple[Site, int]] = [
        ("resid_post", EMBEDDED), *((s, n) for n in range(model.n_layers) for s in _WRITING),
    ]  # fmt: skip
    found = _seen(model, tokens, wanted, _edits(model, ablated, source))
    heads, mlps = [], []
    rest = constant + (found["resid_post", EMBEDDED] * direction).sum(-1)
    for layer in range(model.n_layers):
        w_o, w_out = (w(layer).to("cpu", direction.dtype) for w in (model.w_o, model.w_out))
        written = torch.einsum("phk,hkd->phd", found["z", layer], w_o)
        heads.append(torch.einsum("phd,pd->ph", written, direction))
        mlps.append(((found["mlp_post", layer] @ w_out) * direction).sum(-1))
        for module in (model.attention_outs[layer], model.mlp_outs[layer]):
            bias: Tensor | None = getattr(module, "bias", None)
            if bias is not None:
                rest = rest + direction @ bias.to("cpu", direction.dtype)
    effects = DirectEffects(torch.stack(heads, 1), torch.stack(mlps, 1), rest)
    check_finite(effects.heads, f"{model.name}: direct effects")
    return effects


_WRITING: tuple[Site, Site] = ("z", "mlp_post")


def _seen(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    wanted: Sequence[tuple[Site, int]],
    edits: Sequence[Hook],
) -> dict[tuple[Site, int], Tensor]:
    """Sites at the last position, after the edits."""
    kept: dict[tuple[Site, int], Tensor] = {}

    def keep(site: Site, layer: int) -> Edit:
        def read(x: Tensor) -> None:
            kept[site, layer] = x[:, -1].to("cpu", metric_dtype(model))

        return read

    reading = [on_site(model, site, layer, keep(site, layer)) for site, layer in wanted]
    with hooked([*edits, *reading]):  # in this order: edits are seen
        last_logits(model, tokens)
    return kept


def _edits(
    model: LanguageModel, ablated: Sequence[tuple[int, int]], source: Activations | None
) -> list[Hook]:
    hooks = []
    for layer in sorted({layer for layer, _ in ablated}):
        if source is None:
            raise ValueError("ablated components need a source of values")
        column, place = source.positions[-1], source.layers.index(layer)
        if column != source.tokens.shape[1] - 1:
            raise ValueError("the source must hold the last position")
        heads = [c for n, c in ablated if n == layer and c < model.n_heads]
        if heads:
            hooks.append(on_site(model, "z", layer, _put(source.site("z")[:, -1, place], heads)))
        if (layer, model.n_heads) in ablated:
            values = source.site("mlp_post")[:, -1, place]
            hooks.append(on_site(model, "mlp_post", layer, _put(values, None)))
    return hooks


def _put(values: Float[Tensor, "prompt *width"], heads: list[int] | None) -> Edit:
    """Replace the last position's values: of some heads, or all of them."""

    def edit(x: Tensor) -> Tensor:
        x = x.clone()
        if heads is None:
            x[:, -1] = values.to(x)
        else:
            x[:, -1, heads] = values[:, heads].to(x)
        return x

    return edit


def _frozen(
    model: LanguageModel,
    resid: Float[Tensor, "prompt d_model"],
    token_ids: Int64[Tensor, "prompt 2"],
) -> tuple[Float[Tensor, "prompt d_model"], Float[Tensor, " prompt"]]:
    """What a residual is multiplied with to give its part of the difference, and the biases' part.

    The norm y = w c(x) s + b, c centring where the norm does (LayerNorm), is linear for the scale s
    of the given residual, which is read off its output.
    """
    norm, dtype = model.final_norm, resid.dtype
    weight: Tensor = norm.weight  # type: ignore[assignment]
    bias: Tensor | None = getattr(norm, "bias", None)
    unembedding: Tensor = model.unembedding.weight  # type: ignore[assignment]
    ids = token_ids.to(unembedding.device)
    rows = unembedding[ids].to("cpu", dtype)
    difference = rows[:, 0] - rows[:, 1]
    centres = isinstance(norm, nn.LayerNorm)
    scaled = (resid - resid.mean(-1, keepdim=True) if centres else resid) * weight.to("cpu", dtype)
    out = norm(resid.to(weight.device, model.dtype)).to("cpu", dtype)
    constant = torch.zeros(len(resid), dtype=dtype)
    if bias is not None:
        out = out - bias.to("cpu", dtype)
        constant = difference @ bias.to("cpu", dtype)
    scale = (out * scaled).sum(-1, keepdim=True) / scaled.square().sum(-1, keepdim=True)
    direction = difference * weight.to("cpu", dtype) * scale
    if centres:
        direction = direction - direction.mean(-1, keepdim=True)
    head_bias: Tensor | None = getattr(model.unembedding, "bias", None)
    if head_bias is not None:
        both = head_bias[ids].to("cpu", dtype)
        constant = constant + both[:, 0] - both[:, 1]
    return direction, constant
