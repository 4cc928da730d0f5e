"""What a patch does to the residual leaving its own layer, at its own positions.

Everything else of that layer stays as in the clean run, so a patch of any kind is a residual vector
at each of its positions: the start of a suffix pass.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pipeline_lib.interventions.blocks import Block
from pipeline_lib.interventions.capture import Activations
from pipeline_lib.interventions.clean import CleanRun
from pipeline_lib.interventions.hooks import Site
from pipeline_lib.interventions.patches import Patches
from pipeline_lib.models.loading import LanguageModel

Vectors = Float[Tensor, "patch d_model"]


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
    (post' - post) W_out; a residual patch is the counterfactual's residual itself. Every patch has
    one position; its prompt is a row of ``clean``, its ``source_row`` one of ``counterfactual``.
    """
    device = clean.resid[0].device
    result = torch.empty(len(patches), model.d_model, device=device, dtype=model.dtype)
    for layer in patches.layer.unique().tolist():
        members = (patches.layer == layer).nonzero()[:, 0]
        # nothing runs in layer -1, the embedding: it lies where the first layer does
        leaving = _in_layer(model, blocks[max(layer, 0)], clean, counterfactual, patches[members])
        result[members.to(device)] = leaving.to(device)
    return result


def _in_layer(
    model: LanguageModel,
    block: Block,
    clean: CleanRun,
    counterfactual: Activations,
    patches: Patches,
) -> Vectors:
    layer = int(patches.layer[0])
    device = block.device
    leaving = clean.resid[layer].new_empty(len(patches), model.d_model)
    kind = patches.component.clamp(min=model.n_heads - 1) - (model.n_heads - 1)
    heads, mlps, whole = ((kind == number).nonzero()[:, 0] for number in range(3))
    if len(heads):
        vectors = head_writes(model, clean, counterfactual, patches[heads])
        if block.parallel:
            vectors += _at(clean.resid[layer + 1], patches[heads]).to(device)
        else:
            vectors = block.finish(vectors.add_(_at(clean.mid[layer], patches[heads])))
        leaving[heads.to(device)] = vectors
    if len(mlps):
        vectors = _mlp_writes(model, clean, counterfactual, patches[mlps])
        vectors += _at(clean.resid[layer + 1], patches[mlps]).to(device)
        leaving[mlps.to(device)] = vectors
    if len(whole):
        resid = _counterfactual(counterfactual, patches[whole], "resid_post")
        leaving[whole.to(device)] = resid.to(leaving)
    return leaving


def head_writes(
    model: LanguageModel, clean: CleanRun, counterfactual: Activations, patches: Patches
) -> Vectors:
    """(z' - z) W_O[h] of each patch's head; the patches are of one layer."""
    layer = int(patches.layer[0])
    weight = model.w_o(layer)
    row, head = (x.to(weight.device) for x in (torch.arange(len(patches)), patches.component))
    change = _counterfactual(counterfactual, patches, "z").to(weight.device)
    change = change[row, head] - _at(clean.z[layer], patches)[row, head]
    every = change.new_zeros(len(patches), model.n_heads, model.d_head)
    every[row, head] = change
    return every.flatten(1).to(weight.dtype) @ weight.flatten(0, 1)


def _mlp_writes(
    model: LanguageModel, clean: CleanRun, counterfactual: Activations, patches: Patches
) -> Vectors:
    """(post' - post) W_out of each patch's neuron, or of the whole MLP; one layer."""
    weight = model.w_out(int(patches.layer[0]))
    if patches.neuron is None or bool((patches.neuron < 0).all()):
        return _post_change(clean, counterfactual, patches, weight) @ weight
    neuron = patches.neuron.to(weight.device)
    single = neuron >= 0
    if bool(single.all()):
        # one number a patch: its row of post alone would take most of the time of small models
        change = _post_change(clean, counterfactual, patches, weight, patches.neuron)
        return change[:, None] * weight[neuron]
    change = _post_change(clean, counterfactual, patches, weight)
    one = change.gather(1, neuron.clamp(min=0)[:, None]) * weight[neuron.clamp(min=0)]
    return torch.where(single[:, None], one, change @ weight)


def _post_change(
    clean: CleanRun,
    counterfactual: Activations,
    patches: Patches,
    weight: Float[Tensor, "d_mlp d_model"],
    neuron: Int64[Tensor, " patch"] | None = None,
) -> Float[Tensor, "patch *d_mlp"]:
    """Post' - post at each patch, or of the one ``neuron`` there, where and as the weight is."""
    layer = int(patches.layer[0])
    before = clean.mlp_post[layer]
    after = _counterfactual(counterfactual, patches, "mlp_post", neuron)
    change = after.to(weight.device) - _at(before, patches, neuron).to(weight.device)
    return change.to(weight.dtype)


def _at(
    values: Float[Tensor, "prompt token *width"],
    patches: Patches,
    unit: Int64[Tensor, " patch"] | None = None,
) -> Float[Tensor, "..."]:
    """A clean activation at each patch's prompt and position, all units or one of them."""
    where = [patches.prompt, patches.position, *([] if unit is None else [unit])]
    return values[tuple(index.to(values.device) for index in where)]


def _counterfactual(
    counterfactual: Activations,
    patches: Patches,
    site: Site,
    unit: Int64[Tensor, " patch"] | None = None,
) -> Float[Tensor, "..."]:
    """Activation of a site at each patch's counterfactual prompt and position; one layer."""
    slot = counterfactual.layers.index(int(patches.layer[0]))
    column = torch.full((1 + max(counterfactual.positions),), -1)
    column[list(counterfactual.positions)] = torch.arange(len(counterfactual.positions))
    values = counterfactual.site(site)[:, :, slot]
    where = [patches.source_row, column[patches.position], *([] if unit is None else [unit])]
    return values[tuple(where)]
