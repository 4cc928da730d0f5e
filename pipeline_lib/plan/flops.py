"""Counted FLOPs of the engine's operations: matrix products only, two FLOPs a multiply-add.

Norms, activation functions, softmax and look-ups are left out. Attention counts all pairs of
queries and keys, as the kernels compute them. T is the number of tokens of a prompt, L of layers,
H of heads, K of key-value heads.
"""

from collections.abc import Iterable
from typing import Literal

from pipeline_lib.models.architectures import ModelShape

Engine = Literal["suffix", "full"]
"""How patches run: `full` one whole forward pass each, `suffix` only what a patch can change."""


def query_flops(shape: ModelShape) -> int:
    """Query of one token: 2 d_model H d_head; its output projection costs the same."""
    return 2 * shape.d_model * shape.n_heads * shape.d_head


def key_value_flops(shape: ModelShape) -> int:
    """Key and value of one token: 4 d_model K d_head."""
    return 4 * shape.d_model * shape.n_kv_heads * shape.d_head


def mlp_out_flops(shape: ModelShape) -> int:
    """Output projection of one token's MLP: 2 d_mlp d_model."""
    return 2 * shape.d_mlp * shape.d_model


def mlp_flops(shape: ModelShape) -> int:
    """MLP of one token: three matrices of d_model times d_mlp if gated, else two."""
    return mlp_out_flops(shape) * (3 if shape.gated_mlp else 2)


def score_flops(shape: ModelShape) -> int:
    """Attention of one query to one key, and the value it brings: 4 H d_head."""
    return 4 * shape.n_heads * shape.d_head


def token_flops(shape: ModelShape) -> int:
    """All weights of one layer on one token."""
    return 2 * query_flops(shape) + key_value_flops(shape) + mlp_flops(shape)


def layer_flops(shape: ModelShape, n_tokens: int, n_keys: int) -> int:
    """One layer on ``n_tokens`` tokens, each attending to ``n_keys`` keys."""
    return n_tokens * (token_flops(shape) + score_flops(shape) * n_keys)


def unembedding_flops(shape: ModelShape) -> int:
    """Logits of one position: 2 d_model d_vocab."""
    return 2 * shape.d_model * shape.d_vocab


def forward_flops(shape: ModelShape, n_tokens: int, n_logits: int = 1) -> int:
    """Forward pass of one prompt: L layers on T tokens, logits at ``n_logits`` positions."""
    layers = shape.n_layers * layer_flops(shape, n_tokens, n_tokens)
    return layers + n_logits * unembedding_flops(shape)


def backward_flops(
    shape: ModelShape, n_tokens: int, layer: int = 0, site: Literal["z", "mlp_post"] = "z"
) -> int:
    """Gradient of one logit difference with respect to the activations from a site on.

    No gradients of weights are taken, so a matrix costs what it does forwards; attention costs five
    products instead of two (one of them the scores, computed again). Layers above ``layer`` run
    whole, ``layer`` itself from the site on: the MLP follows z unless the residual is parallel.
    """
    attention = n_tokens * score_flops(shape) * 5 // 2
    above = (shape.n_layers - 1 - layer) * (token_flops(shape) + attention)
    after_z = query_flops(shape) + (0 if shape.parallel_residual else mlp_flops(shape))
    rest = after_z if site == "z" else mlp_out_flops(shape)
    return n_tokens * (above + rest) + unembedding_flops(shape)


def attribution_flops(
    shape: ModelShape, n_tokens: int, method: Literal["gradient", "integrated"], steps: int
) -> int:
    """Attribution of every head and neuron of one prompt pair.

    ``gradient``: one forward pass, and one backward to the first layer's sites. ``integrated``:
    both for each of two sites, L layers, T positions and ``steps`` points.
    """
    forward = forward_flops(shape, n_tokens)
    if method == "gradient":
        beside = n_tokens * mlp_out_flops(shape) if shape.parallel_residual else 0
        return forward + backward_flops(shape, n_tokens) + beside
    return sum(
        steps * n_tokens * (forward + backward_flops(shape, n_tokens, layer, site))
        for layer in range(shape.n_layers)
        for site in ("z", "mlp_post")
    )


def ablation_flops(shape: ModelShape, n_tokens: int, first_layer: int) -> int:
    """One prompt with units ablated at all positions, from ``first_layer`` on.

    Its clean run is counted apart, because rows of one prompt share it. The last layer needs the
    query and MLP of the last position alone.
    """
    whole = (shape.n_layers - 1 - first_layer) * layer_flops(shape, n_tokens, n_tokens)
    last = n_tokens * key_value_flops(shape) + 2 * query_flops(shape) + mlp_flops(shape)
    return whole + last + score_flops(shape) * n_tokens + unembedding_flops(shape)


def n_patches(shape: ModelShape, n_tokens: int, positions: Iterable[int]) -> int:
    """Patches of one prompt that can change its logits: all heads and the MLP of every layer.

    In the last layer only the last position counts, because nothing reads the others.
    """
    chosen = list(positions)
    last_layer = chosen.count(n_tokens - 1)
    return (shape.n_heads + 1) * ((shape.n_layers - 1) * len(chosen) + last_layer)


def loop_flops(
    shape: ModelShape, n_tokens: int, positions: Iterable[int], n_logits: int = 1
) -> int:
    """Plain loop over one prompt's components: L (H + 1) forward passes for each position.

    ``n_logits`` is T where a loop unembeds every position, as TransformerLens does.
    """
    patches = shape.n_layers * (shape.n_heads + 1) * len(list(positions))
    return patches * forward_flops(shape, n_tokens, n_logits)


def suffix_flops(
    shape: ModelShape, n_tokens: int, layer: int, position: int, component: Literal["head", "mlp"]
) -> int:
    """What one patch at (``layer``, ``position``) can change, and no more.

    With n = T - position: a head's patch recomputes the MLP of its layer at its position (not in
    models with parallel residual, whose MLP does not read it); then layers above, except the last,
    run on n positions; the last layer needs keys and values of n positions, and the query,
    attention and MLP of the last position alone; logits at the last position. Nothing at all in
    the last layer before the last position.
    """
    if layer == shape.n_layers - 1 and position < n_tokens - 1:
        return 0
    reads_patch = component == "head" and not shape.parallel_residual
    own = unembedding_flops(shape) + (mlp_flops(shape) if reads_patch else 0)
    return own + above_flops(shape, n_tokens, layer, position)


def above_flops(shape: ModelShape, n_tokens: int, layer: int, position: int) -> int:
    """The layers above one, from a position on; the last layer asks at the last position alone."""
    n_later, last = n_tokens - position, shape.n_layers - 1
    if layer >= last:
        return 0
    whole = (last - 1 - layer) * layer_flops(shape, n_later, n_tokens)
    asked = n_later * key_value_flops(shape) + 2 * query_flops(shape)
    return whole + asked + score_flops(shape) * n_tokens + mlp_flops(shape)


def patching_flops(
    shape: ModelShape, n_tokens: int, positions: Iterable[int], engine: Engine = "suffix"
) -> int:
    """Effects of every head and MLP of one prompt: its clean run, and its patches.

    Patches that change nothing by construction are left out (`n_patches`). Positions up to which
    the counterfactual has the same text cost nothing either; they are rare and not foreseen.
    """
    chosen = list(positions)
    clean = forward_flops(shape, n_tokens)
    if engine == "full":
        return clean * (1 + n_patches(shape, n_tokens, chosen))
    suffixes = sum(
        suffix_flops(shape, n_tokens, layer, position, "mlp")
        + shape.n_heads * suffix_flops(shape, n_tokens, layer, position, "head")
        for layer in range(shape.n_layers)
        for position in chosen
    )
    return clean + suffixes


def suffix_ratio(
    shape: ModelShape, n_tokens: int, positions: Iterable[int], n_logits: int = 1
) -> float:
    """How many times the plain loop's FLOPs the suffix passes save (clean run left out)."""
    chosen = list(positions)
    suffixes = patching_flops(shape, n_tokens, chosen) - forward_flops(shape, n_tokens)
    return loop_flops(shape, n_tokens, chosen, n_logits) / suffixes


def value_logit_flops(shape: ModelShape, n_neurons: int, n_numbers: int) -> int:
    """Logits of ``n_numbers`` tokens in the value vectors of neurons: 2 d_model each."""
    return 2 * shape.d_model * n_neurons * n_numbers
