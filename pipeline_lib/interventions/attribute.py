"""Attribution patching: first-order and integrated-gradients estimates of every neuron's effect."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pipeline_lib.interventions.batching import default_batch_size, run_batches
from pipeline_lib.interventions.capture import Activations
from pipeline_lib.interventions.hooks import (
    Edit,
    Site,
    check_finite,
    hooked,
    last_logits,
    metric_dtype,
    on_site,
)
from pipeline_lib.models.loading import LanguageModel

Method = Literal["gradient", "integrated"]
COMPONENTS: tuple[Site, Site] = ("z", "mlp_post")


@dataclass(frozen=True)
class Attribution:
    """Estimated effect of patching each head and each neuron, per prompt and position, no unit.

    To first order the estimate of eq. 1's E, in all orders that of 1/2 (logit_{r'} - logit_r).
    """

    positions: tuple[int, ...]
    layers: tuple[int, ...]
    heads: Float[Tensor, "prompt pos layer head"]
    neurons: Float[Tensor, "prompt pos layer d_mlp"]

    def __len__(self) -> int:
        return len(self.heads)


def attribute(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    answer_ids: Int[Tensor, " prompt"],
    counterfactual_answer_ids: Int[Tensor, " prompt"],
    clean: Activations,
    counterfactual: Activations,
    *,
    method: Method = "gradient",
    steps: int = 8,
    batch_size: int | None = None,
    check: bool = True,
) -> Attribution:
    """Attribution of all prompts in one piece (see `iter_attribution`)."""
    parts = list(
        iter_attribution(
            model,
            tokens,
            answer_ids,
            counterfactual_answer_ids,
            clean,
            counterfactual,
            method=method,
            steps=steps,
            batch_size=batch_size,
            check=check,
        )
    )
    if not parts:
        heads, neurons = clean.site("z")[..., 0], clean.site("mlp_post")
        return Attribution(clean.positions, clean.layers, heads, neurons)
    heads, neurons = (torch.cat([getattr(p, name) for p in parts]) for name in ("heads", "neurons"))
    return replace(parts[0], heads=heads, neurons=neurons)


def iter_attribution(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    answer_ids: Int[Tensor, " prompt"],
    counterfactual_answer_ids: Int[Tensor, " prompt"],
    clean: Activations,
    counterfactual: Activations,
    *,
    method: Method = "gradient",
    steps: int = 8,
    batch_size: int | None = None,
    check: bool = True,
) -> Iterator[Attribution]:
    """Attribution batch by batch, at the layers and positions of ``clean``, on the CPU.

    (a_counterfactual - a_clean) times the gradient of 1/2 (logit_{r'} - logit_r) with respect to
    the activation; at the clean run this is the gradient of E (definitions 3). The scalar is
    summed over prompts, so each prompt's gradient is its own whatever the batch. ``integrated``
    averages the gradient over ``steps`` points (midpoint rule) on the line from the clean to the
    counterfactual activation of one site (all heads, or the MLP) at one position and layer; the
    site's attributions then add up to the effect of patching that site there.
    Raises ActivationError naming layer and site for NaN or infinite results, unless ``check`` is
    False (then the caller counts them).
    """
    if (clean.positions, clean.layers) != (counterfactual.positions, counterfactual.layers):
        raise ValueError("clean and counterfactual activations differ in positions or layers")
    batch_size = batch_size or _fitting_prompts(model, tokens, clean, method, steps)

    def run(rows: slice) -> Attribution:
        pair = torch.stack([answer_ids[rows], counterfactual_answer_ids[rows]], 1).long()
        ends = clean.prompts(rows), counterfactual.prompts(rows)
        return _attribute_batch(model, tokens[rows], pair, *ends, method, steps, check)

    for _, part in run_batches(len(tokens), batch_size, run):
        yield part


def attribute_neurons(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    answer_ids: Int[Tensor, " prompt"],
    counterfactual_answer_ids: Int[Tensor, " prompt"],
    clean: Activations,
    counterfactual: Activations,
    *,
    method: Method = "gradient",
    steps: int = 8,
    batch_size: int | None = None,
) -> Float[Tensor, "prompt pos layer d_mlp"]:
    """Attribution of neurons alone, as `iter_attribution` has it; only mlp_post is needed.

    Half the work of `iter_attribution` for ``integrated``. NaN and infinite results are kept.
    """
    pair = torch.stack([answer_ids, counterfactual_answer_ids], 1).long()
    batch_size = batch_size or _fitting_prompts(model, tokens, clean, method, steps)

    def run(rows: slice) -> Tensor:
        ends = clean.prompts(rows), counterfactual.prompts(rows)
        found = _site_effects(model, tokens[rows], pair[rows], *ends, method, steps, ("mlp_post",))
        return found["mlp_post"]

    parts = [part for _, part in run_batches(len(tokens), batch_size, run)]
    return torch.cat(parts) if parts else clean.site("mlp_post")


def _fitting_prompts(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    clean: Activations,
    method: Method,
    steps: int,
) -> int:
    """Prompts whose gradients fit in memory at once; at least 1."""
    rows_per_prompt = steps * len(clean.positions) if method == "integrated" else 1
    fitting = default_batch_size(model, tokens.shape[1], layers_kept=3 * model.n_layers)
    return max(1, fitting // rows_per_prompt)


def _attribute_batch(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    pair: Int[Tensor, "prompt 2"],
    clean: Activations,
    counterfactual: Activations,
    method: Method,
    steps: int,
    check: bool,
) -> Attribution:
    effects = _site_effects(model, tokens, pair, clean, counterfactual, method, steps, COMPONENTS)
    if check:
        _check(model, clean, effects)
    heads, neurons = effects["z"].sum(-1), effects["mlp_post"]
    return Attribution(clean.positions, clean.layers, heads, neurons)


def _site_effects(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    pair: Int[Tensor, "prompt 2"],
    clean: Activations,
    counterfactual: Activations,
    method: Method,
    steps: int,
    sites: Sequence[Site],
) -> dict[Site, Float[Tensor, "..."]]:
    """Change of every activation of the sites times its gradient."""
    if method == "gradient":
        gradients = _clean_gradients(model, tokens, pair, clean, sites)
    else:
        gradients = _path_gradients(model, tokens, pair, clean, counterfactual, steps, sites)
    return {s: (counterfactual.site(s) - clean.site(s)) * gradients[s] for s in sites}


def _half_logit_difference(
    model: LanguageModel, tokens: Int[Tensor, "row token"], pair: Int[Tensor, "row 2"]
) -> Float[Tensor, ""]:
    logits = last_logits(model, tokens)
    chosen = logits.gather(1, pair.to(logits.device))
    return ((chosen[:, 1] - chosen[:, 0]) / 2).sum()


def _clean_gradients(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    pair: Int[Tensor, "prompt 2"],
    clean: Activations,
    sites: Sequence[Site],
) -> dict[Site, Float[Tensor, "..."]]:
    """Gradient of the scalar at the clean run with respect to the sites of every layer."""
    seen: dict[tuple[Site, int], Tensor] = {}

    def watch(site: Site, layer: int) -> Edit:
        def edit(x: Tensor) -> Tensor:
            x = x if x.requires_grad else x.detach().requires_grad_()
            seen[site, layer] = x
            return x

        return edit

    hooks = [on_site(model, s, layer, watch(s, layer)) for layer in clean.layers for s in sites]
    with torch.enable_grad(), hooked(hooks):
        scalar = _half_logit_difference(model, tokens, pair)
        gradients = torch.autograd.grad(scalar, list(seen.values()))
    found = dict(zip(seen, gradients, strict=True))
    chosen, dtype = list(clean.positions), metric_dtype(model)
    return {
        site: torch.stack(
            [found[site, layer][:, chosen].to("cpu", dtype) for layer in clean.layers], 2
        )
        for site in sites
    }


def _path_gradients(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    pair: Int[Tensor, "prompt 2"],
    clean: Activations,
    counterfactual: Activations,
    steps: int,
    sites: Sequence[Site],
) -> dict[Site, Float[Tensor, "..."]]:
    """Mean gradient along the path of each site, one position and layer at a time."""
    weights = (torch.arange(steps) + 0.5) / steps
    result: dict[Site, Tensor] = {}
    for site in sites:
        start, end = clean.site(site), counterfactual.site(site)
        result[site] = torch.empty_like(start)
        for index, layer in enumerate(clean.layers):
            ends = start[:, :, index], end[:, :, index]
            points = torch.stack([torch.lerp(*ends, float(w)) for w in weights])
            gradients = _gradient_at(model, tokens, pair, site, layer, clean.positions, points)
            result[site][:, :, index] = gradients.mean(0)
    return result


def _gradient_at(
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    pair: Int[Tensor, "prompt 2"],
    site: Site,
    layer: int,
    positions: tuple[int, ...],
    points: Float[Tensor, "step prompt pos *width"],
) -> Float[Tensor, "step prompt pos *width"]:
    """Gradient with respect to the site's activation, each position set to the point alone."""
    steps, prompts, _ = points.shape[:3]
    inserted = points.flatten(0, 2).detach().requires_grad_()
    where = torch.tensor(positions).repeat(steps * prompts)
    rows = torch.arange(len(where))
    prompt = torch.arange(prompts).repeat_interleave(len(positions)).repeat(steps)

    def edit(x: Tensor) -> Tensor:
        index = (rows.to(x.device), where.to(x.device))
        return x.detach().index_put(index, inserted.to(x.device, x.dtype))

    with torch.enable_grad(), hooked([on_site(model, site, layer, edit)]):
        scalar = _half_logit_difference(model, tokens[prompt], pair[prompt])
        (gradient,) = torch.autograd.grad(scalar, inserted)
    return gradient.reshape(points.shape)


def _check(
    model: LanguageModel, clean: Activations, effects: dict[Site, Float[Tensor, "..."]]
) -> None:
    for site, values in effects.items():
        for index, layer in enumerate(clean.layers):
            check_finite(values[:, :, index], f"{model.name}: attribution of layer {layer}, {site}")
