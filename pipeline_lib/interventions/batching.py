"""How many rows go through the model at once, from its size and the memory that is free."""

import gc
import os
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.pieces import Loop

Result = TypeVar("Result")

# Bytes of temporary tensors of one pass: on a CPU larger batches were no faster, and a fixed number
# keeps results the same from day to day.
CPU_BUDGET = 192 * 2**20
GPU_SHARE = 0.25  # of the memory that is free
# Beyond these, larger batches were no faster: measured on a CPU, assumed of a GPU.
MAX_ROWS = {"cpu": 512, "cuda": 8192}


def memory_budget(model: LanguageModel) -> int:
    """Bytes that the temporaries of one pass may take, on the fullest of the model's GPUs."""
    if model.device.type == "cuda":
        used = {next(layer.parameters()).device for layer in model.layers}
        return int(min(torch.cuda.mem_get_info(gpu)[0] for gpu in used) * GPU_SHARE)
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(CPU_BUDGET, free // 4)


def default_batch_size(
    model: LanguageModel, n_tokens: int, *, layers_kept: int = 1, budget: int | None = None
) -> int:
    """Rows of ``n_tokens`` tokens whose temporaries fit the budget (bytes); at least 1.

    ``layers_kept`` is the number of layers whose activations live at the same time: 1 in a plain
    forward pass, all of them when gradients are taken or activations kept.
    """
    size = model.dtype.itemsize
    widths = 6 * model.d_model + 3 * model.d_mlp + 2 * model.n_heads * n_tokens
    layer_bytes = size * n_tokens * widths
    logit_bytes = model.d_vocab * (size + 4 + 8)
    row_bytes = layers_kept * layer_bytes + logit_bytes
    most = MAX_ROWS[_kind(model)]
    return max(1, min(most, (budget or memory_budget(model)) // row_bytes))


def suffix_rows(model: LanguageModel, n_positions: int) -> int:
    """Rows of a suffix pass over ``n_positions`` positions; at least 1."""
    widths = 8 * model.d_model + 3 * model.d_mlp
    row_bytes = model.dtype.itemsize * n_positions * widths
    return max(1, memory_budget(model) // row_bytes)


def clean_rows(model: LanguageModel, n_tokens: int) -> int:
    """Prompts whose clean run is kept for suffix passes; at least 1."""
    kept = 3 * model.d_model + model.d_mlp + 2 * model.shape.n_kv_heads * model.d_head
    row_bytes = model.dtype.itemsize * n_tokens * kept * model.n_layers
    return max(1, min(MAX_ROWS[_kind(model)], memory_budget(model) // row_bytes))


def logit_rows(model: LanguageModel) -> int:
    """Rows whose logits and their exponentials fit the budget; at least 1."""
    row_bytes = model.d_vocab * (model.dtype.itemsize + 4 + 8)
    return max(1, min(MAX_ROWS[_kind(model)], memory_budget(model) // row_bytes))


def _kind(model: LanguageModel) -> str:
    return "cpu" if model.device.type == "cpu" else "cuda"


def batches(n_rows: int, batch_size: int) -> Iterator[slice]:
    """Consecutive slices of at most ``batch_size`` rows."""
    for start in range(0, n_rows, batch_size):
        yield slice(start, min(start + batch_size, n_rows))


def resumed_batches(
    n_rows: int,
    batch_size: int,
    run: Callable[[slice], tuple[Tensor, ...]],
    loop: Loop | None = None,
) -> Iterator[tuple[slice, tuple[Tensor, ...]]]:
    """`run_batches` whose results are small and on the CPU: a stage that died takes them up again.

    Kept batches have the size they had. ``loop`` is the stage's loop that this is (see
    `pipeline_lib.pieces`), by default its next one.
    """
    loop, start = loop or Loop.begin(), 0
    while start < n_rows and (kept := loop.kept(start)) is not None:
        rows = slice(start, start + int(kept[0]))
        yield rows, tuple(map(torch.from_numpy, kept[1:]))
        start = rows.stop

    def keep(rows: slice) -> tuple[np.ndarray, ...]:
        arrays = (found.numpy() for found in run(rows))
        return np.array(rows.stop - rows.start), *arrays

    for rows, kept in run_batches(
        n_rows, batch_size, lambda rows: loop.run(rows.start, lambda: keep(rows)), start=start
    ):
        yield rows, tuple(map(torch.from_numpy, kept[1:]))


def run_batches(
    n_rows: int, batch_size: int, run: Callable[[slice], Result], *, start: int = 0
) -> Iterator[tuple[slice, Result]]:
    """``run`` of consecutive slices, with the slice; a GPU out of memory halves the batches.

    The slice that failed is run again in smaller pieces, and later ones stay small. Raises
    torch.cuda.OutOfMemoryError when a single row does not fit.
    """
    while start < n_rows:
        rows = slice(start, min(start + batch_size, n_rows))
        try:
            result = run(rows)
        except torch.cuda.OutOfMemoryError:
            if rows.stop - rows.start == 1:
                raise
            batch_size = (rows.stop - rows.start) // 2
        else:
            yield rows, result
            start = rows.stop
            continue
        # outside the handler, whose traceback would keep the failed pass's tensors alive
        gc.collect()
        torch.cuda.empty_cache()
