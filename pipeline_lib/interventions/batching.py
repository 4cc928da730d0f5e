"""How many rows go through the model at once, from its size and a memory budget."""

from collections.abc import Iterator

from pipeline_lib.models.loading import LanguageModel

MEMORY_BUDGET = 192 * 2**20  # bytes of temporary tensors of one forward pass
# Beyond these, larger batches were no faster: measured on a CPU, assumed of a GPU.
MAX_ROWS = {"cpu": 512, "cuda": 8192}


def default_batch_size(
    model: LanguageModel, n_tokens: int, *, layers_kept: int = 1, budget: int = MEMORY_BUDGET
) -> int:
    """Rows of ``n_tokens`` tokens whose temporaries fit the budget (bytes); at least 1.

    ``layers_kept`` is the number of layers whose activations live at the same time: 1 in a plain
    forward pass, all of them when gradients are taken.
    """
    size = model.dtype.itemsize
    widths = 6 * model.d_model + 3 * model.d_mlp + 2 * model.n_heads * n_tokens
    layer_bytes = size * n_tokens * widths
    logit_bytes = model.d_vocab * (size + 4 + 8)
    row_bytes = layers_kept * layer_bytes + logit_bytes
    most = MAX_ROWS["cpu" if model.device.type == "cpu" else "cuda"]
    return max(1, min(most, budget // row_bytes))


def batches(n_rows: int, batch_size: int) -> Iterator[slice]:
    """Consecutive slices of at most ``batch_size`` rows."""
    for start in range(0, n_rows, batch_size):
        yield slice(start, min(start + batch_size, n_rows))
