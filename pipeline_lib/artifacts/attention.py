"""Attention artifacts: patterns of sampled prompts, and attention from "=" over the operands.

Patterns: pattern [prompt, layer, head, query, source], operator, a, b [prompt]; operator is a place
among the coordinates. Pictures: attention [operator, layer, head, source, a, b], float16, a chunk a
picture or part of one; operands 0..size-1 whether the prompt is valid or not.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pipeline_lib import store
from pipeline_lib.interventions.attention import attention_patterns, iter_attention
from pipeline_lib.logs import progress
from pipeline_lib.measures.attention import SOURCES, collapse_sources
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.pieces import resumed
from pipeline_lib.stimuli.arithmetic import make_prompts

PATTERNS_KIND = "attention_patterns"
PICTURES_KIND = "attention_pictures"
AXES = ("operator", "layer", "head", "source", "a", "b")
BLOCK_BYTES = 1 << 26  # of pictures held until they are written

Encode = Callable[[pd.DataFrame], Int64[Tensor, "prompt pos"]]


def write_patterns(
    path: str | Path,
    model: LanguageModel,
    encode: Encode,
    prompts: Mapping[str, pd.DataFrame],
    *,
    provenance: Mapping[str, Any],
) -> None:
    """Store the patterns of every operator's prompts, all heads, among `SOURCES`.

    The query "before" is the last token before the prompt's own: BOS, without few-shot examples.
    Raises ActivationError for NaN or infinite patterns, DiskError when the disk is full.
    """
    parts, names = [np.zeros(_pattern_shape(model), np.float32)], list(prompts)
    for table in progress(prompts.values(), "attention patterns"):
        if len(table):
            own = range(-len(SOURCES), 0)
            found = attention_patterns(model, encode(table), queries=own).float().numpy()
            parts.append(collapse_sources(found))
    rows = pd.concat([prompts[name][["a", "b"]] for name in names]).astype(np.int64)
    operator = np.repeat(np.arange(len(names)), [len(prompts[name]) for name in names])
    axes = ("prompt", "layer", "head", "query", "source")
    arrays = {
        "pattern": store.Array(np.concatenate(parts), axes),
        "operator": store.Array(operator, ("prompt",)),
        **{name: store.Array(rows[name].to_numpy(), ("prompt",)) for name in ("a", "b")},
    }
    coords = _coords(model, names) | {"query": list(SOURCES)}
    store.write_artifact(path, PATTERNS_KIND, arrays, coords=coords, provenance=provenance)


def _pattern_shape(model: LanguageModel) -> tuple[int, ...]:
    return (0, model.n_layers, model.n_heads, len(SOURCES), len(SOURCES))


def _coords(model: LanguageModel, operators: list[str]) -> dict[str, Any]:
    return {
        "operator": operators,
        "layer": np.arange(model.n_layers),
        "head": np.arange(model.n_heads),
        "source": list(SOURCES),
    }


def write_pictures(
    path: str | Path,
    model: LanguageModel,
    encode: Encode,
    operators: list[str],
    *,
    size: int,
    provenance: Mapping[str, Any],
) -> None:
    """Store the attention from "=" to each source for every pair of operands below ``size``.

    Memory is that of a few rows of all pictures, not of the pictures. Raises ActivationError for
    NaN or infinite patterns, DiskError when the disk cannot hold the file.
    """
    shape = (len(operators), model.n_layers, model.n_heads, len(SOURCES), size, size)
    store.require_space(Path(path).parent, 2 * int(np.prod(shape)))
    rows = max(1, min(size, BLOCK_BYTES // max(1, 2 * int(np.prod(shape[1:4])) * size)))
    coords = _coords(model, operators) | {"a": np.arange(size), "b": np.arange(size)}
    with store.create_artifact(path, PICTURES_KIND, coords=coords, provenance=provenance) as writer:
        chunks = (1, 1, 1, 1, rows, size)
        attention = writer.reserve("attention", shape, "float16", AXES, chunks=chunks)
        starts = [
            (place, start) for place in range(len(operators)) for start in range(0, size, rows)
        ]

        def pictures(step: tuple[int, int]) -> tuple[np.ndarray]:
            place, start = step
            prompts = _square(operators[place], start, min(start + rows, size), size)
            block = np.concatenate(list(_from_equals(model, encode(prompts))))
            return (np.moveaxis(block, 0, -1).reshape(*shape[1:4], -1, size),)

        steps = progress(starts, "attention over operands")
        for (place, start), (found,) in resumed(steps, pictures):
            attention[place, :, :, :, start : start + rows] = found


def _square(operator: str, start: int, stop: int, size: int) -> pd.DataFrame:
    """Prompts of the operands a in [start, stop) and b in [0, size), b fastest."""
    a, b = np.indices((stop - start, size))
    return make_prompts(operator, a.ravel() + start, b.ravel())


def _from_equals(
    model: LanguageModel, tokens: Int64[Tensor, "prompt pos"]
) -> Iterator[Float[np.ndarray, "some layer head source"]]:
    for part in iter_attention(model, tokens, queries=[-1]):
        sources = collapse_sources(part[:, :, :, 0].to(torch.float32).numpy())
        yield sources.astype(np.float16)
