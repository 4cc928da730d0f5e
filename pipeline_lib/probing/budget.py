"""Sizes of what probing reads and holds; free of torch, so that a plan can ask."""

BUDGET_BYTES = 1 << 30
"""Default memory of the activations and probes held at once."""
COPIES_OF_X, COPIES_OF_PROBE = 4, 4
"""As read, by probe, standardised, training rows; and weights, gradient and Adam's two moments."""
CHUNK_BYTES = 1 << 20


def layer_bytes(n_prompts: int, n_positions: int, d_model: int, n_numbers: int) -> int:
    """Memory of one layer's activations and probes in float32."""
    return 4 * n_positions * d_model * (COPIES_OF_X * n_prompts + COPIES_OF_PROBE * n_numbers)


def layers_at_once(
    n_prompts: int, n_positions: int, d_model: int, n_numbers: int, budget: int = BUDGET_BYTES
) -> int:
    """Layers whose activations and probes fit ``budget`` bytes; at least one."""
    return max(1, budget // max(1, layer_bytes(n_prompts, n_positions, d_model, n_numbers)))


def chunk_shape(shape: tuple[int, int, int, int], item_bytes: int) -> tuple[int, int, int, int]:
    """Chunk of about a megabyte of residuals [prompt, position, layer, d_model], of one layer."""
    n_prompts, n_positions, _, d_model = shape
    rows = CHUNK_BYTES // (item_bytes * n_positions * d_model)
    return max(1, min(n_prompts, rows)), n_positions, 1, d_model
