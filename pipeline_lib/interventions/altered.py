"""What a patch does to the residual leaving its own layer, at its own position.

Everything else of that layer stays as in the clean run, so a patch of any kind is one altered
residual vector: the start of a suffix pass.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn.functional import linear

from pipeline_lib.interventions.blocks import Block
from pipeline_lib.interventions.capture import Activations
from pipeline_lib.interventions.clean import CleanRun
from pipeline_lib.interventions.hooks import Site
from pipeline_lib.interventions.patches import Patches
from pipeline_lib.models.loading import LanguageModel

Vectors = Float[Tensor, "row d_model"]


def altered_residuals(
    model: LanguageModel,
    blocks: Sequence[Block],
    clean: CleanRun,
    counterfactual: Activations,
    patches: Patches,
) -> Vectors:
    """Residual leaving each patch's layer at its position, on the first layer's device.

    With d = z' - z of head h, the head writes d W_O[h] into the residual between attention and
    MLP, and the layer's MLP answers (in parallel-residual models it does not); an MLP patch writes
    (post' - post) W_out; a residual patch is the counterfactual's residual itself. Patches are
    ascending in layer and share their position; their prompts are rows of ``clean`` and of
    ``counterfactual``.
    """
    device = clean.resid[0].device
    result = torch.empty(len(patches), model.d_model, device=device, dtype=model.dtype)
    layers, counts = patches.layer.unique_consecutive(return_counts=True)
    ends = counts.cumsum(0).tolist()
    for layer, end, count in zip(layers.tolist(), ends, counts.tolist(), strict=True):
        rows = slice(end - count, end)
        result[rows] = _in_layer(model, blocks[layer], clean, counterfactual, patches[rows])
    return result


def _in_layer(
    model: LanguageModel,
    block: Block,
    clean: CleanRun,
    counterfactual: Activations,
    patches: Patches,
) -> Vectors:
    layer, position = int(patches.layer[0]), int(patches.position[0])
    leaving = clean.resid[layer + 1][patches.prompt.to(block.device), position]
    heads = patches.component < model.n_heads
    mlps = patches.component == model.n_heads
    if heads.any():
        vectors = written(model, clean, counterfactual, patches[heads], "z")
        where = heads.to(block.device)
        if not block.parallel:
            before = clean.mid[layer][patches.prompt[heads].to(block.device), position]
            leaving[where] = block.finish(vectors.add_(before))
        else:
            leaving[where] += vectors
    if mlps.any():
        vectors = written(model, clean, counterfactual, patches[mlps], "mlp_post")
        leaving[mlps.to(block.device)] += vectors
    whole = ~heads & ~mlps
    if whole.any():
        leaving[whole.to(block.device)] = _counterfactual(
            counterfactual, patches[whole], "resid_post"
        ).to(leaving)
    return leaving


def _counterfactual(
    counterfactual: Activations, patches: Patches, site: Site
) -> Float[Tensor, "row *width"]:
    """Activation of a site in each patch's counterfactual prompt (one layer, one position)."""
    column = counterfactual.positions.index(int(patches.position[0]))
    slot = counterfactual.layers.index(int(patches.layer[0]))
    return counterfactual.site(site)[:, column, slot].index_select(0, patches.prompt)


def written(
    model: LanguageModel,
    clean: CleanRun,
    counterfactual: Activations,
    patches: Patches,
    site: Site,
) -> Vectors:
    """(a' - a) of each patch's units through the site's output projection.

    All patches are of one layer, position and site.
    """
    layer, position = int(patches.layer[0]), int(patches.position[0])
    values = clean.z[layer] if site == "z" else clean.mlp_post[layer]
    prompts = patches.prompt.to(values.device)
    change = _counterfactual(counterfactual, patches, site).to(values.device)
    change = change - values[:, position].index_select(0, prompts)
    units = patches.component if site == "z" else patches.neuron
    if units is not None:
        chosen = _one_unit(units.to(values.device), change.shape[1])
        change = torch.where(chosen.unflatten(1, (-1, *[1] * (change.ndim - 2))), change, 0)
    weight = model.w_o(layer).flatten(0, 1) if site == "z" else model.w_out(layer)
    return linear(change.flatten(1).to(weight.dtype), weight.T)


def _one_unit(units: Int64[Tensor, " row"], n_units: int) -> Bool[Tensor, "row unit"]:
    """True at each row's unit; at all units where it is -1."""
    chosen = torch.arange(n_units, device=units.device) == units[:, None]
    return chosen | (units < 0)[:, None]
