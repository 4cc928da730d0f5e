"""What a sweep costs, against one whole forward pass for every cell."""

from pipeline_lib.interventions.patches import Patches


def sweep_cost(
    patches: Patches, n_prompts: int, n_tokens: int, n_layers: int
) -> dict[str, int | float]:
    """Token-layers (one position through one layer) of the engine and of a plain hook loop.

    The engine makes one clean run of each prompt, and each patch runs the layers above its own, at
    the positions from its first on. The loop runs every patch through the whole model.
    """
    above = n_layers - 1 - patches.layer
    positions = n_tokens - patches.first_position
    engine = n_prompts * n_tokens * n_layers + int((above * positions).sum())
    loop = (n_prompts + len(patches)) * n_tokens * n_layers
    return {
        "patches": len(patches),
        "token_layers": engine,
        "loop_token_layers": loop,
        "times_less": loop / engine if engine else 1.0,
    }
