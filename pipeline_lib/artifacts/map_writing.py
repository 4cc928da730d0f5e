"""Writing map artifacts (see `maps`): every valid prompt runs once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pipeline_lib import store
from pipeline_lib.artifacts.maps import CHUNK, KIND
from pipeline_lib.interventions.capture import Activations, iter_reduced, predict_tokens
from pipeline_lib.interventions.values import value_logits
from pipeline_lib.logs import progress
from pipeline_lib.models.loading import LanguageModel


def write_maps(
    path: str | Path,
    model: LanguageModel,
    tokens: Int64[Tensor, "prompt pos"],
    prompts: pd.DataFrame,
    neurons: pd.DataFrame,
    number_ids: Int64[np.ndarray, " number"],
    *,
    dtype: str,
    provenance: Mapping[str, Any],
) -> Int64[np.ndarray, " prompt"]:
    """Run every prompt and store the maps of the neurons (rows of layer, neuron).

    Returns the most likely next token of every prompt, which the same runs tell. Memory does not
    grow with the number of prompts. Raises DiskError when the disk cannot hold the file,
    ActivationError for NaN or infinite activations.
    """
    shape = (len(neurons), len(prompts))
    store.require_space(Path(path).parent, int(np.prod(shape)) * np.dtype(dtype).itemsize)
    with store.create_artifact(path, KIND, coords={}, provenance=provenance) as writer:
        for name in ("layer", "neuron"):
            writer.add(name, store.Array(neurons[name].to_numpy(np.int64), ("neuron",)))
        for name in ("a", "b", "answer"):
            writer.add(name, store.Array(prompts[name].to_numpy(np.int64), ("prompt",)))
        logits = neuron_value_logits(model, neurons, number_ids)
        writer.add("value_logits", store.Array(logits, ("neuron", "number"), "logit"))
        chunks = (1, min(len(prompts), CHUNK))
        k_map = writer.reserve("k_map", shape, dtype, ("neuron", "prompt"), "activation", chunks)
        return _fill(k_map, model, tokens, neurons)


def neuron_value_logits(
    model: LanguageModel, neurons: pd.DataFrame, number_ids: Int64[np.ndarray, " number"]
) -> Float[np.ndarray, "neuron number"]:
    """Value logits of every neuron of the table, in its order."""
    logits = np.zeros((len(neurons), len(number_ids)), dtype=np.float32)
    for layer, rows in neurons.reset_index(drop=True).groupby("layer"):
        chosen = torch.tensor(rows["neuron"].to_numpy(dtype=np.int64))
        found = value_logits(model, int(str(layer)), chosen, torch.tensor(number_ids))
        logits[rows.index] = found.float().numpy()
    return logits


def _fill(
    k_map: h5py.Dataset,
    model: LanguageModel,
    tokens: Int64[Tensor, "prompt pos"],
    neurons: pd.DataFrame,
) -> Int64[np.ndarray, " prompt"]:
    if not len(neurons):
        return predict_tokens(model, tokens).numpy()
    layers = sorted(set(neurons["layer"]))
    place = torch.tensor([layers.index(layer) for layer in neurons["layer"]])
    index = torch.tensor(neurons["neuron"].to_numpy(dtype=np.int64))
    predicted: list[np.ndarray] = [np.empty(0, dtype=np.int64)]
    waiting: list[np.ndarray] = []
    start = 0

    def read(batch: Activations) -> tuple[Tensor, Tensor]:
        assert batch.logits is not None
        return batch.logits.argmax(-1), batch.site("mlp_post")[:, 0, place, index].T.contiguous()

    mapped = iter_reduced(model, tokens, read, ("mlp_post",), layers=layers, positions=[-1])
    for _, (tokens_said, values) in progress(mapped, "mapping neurons"):
        predicted.append(tokens_said.numpy())
        waiting.append(values.numpy())
        # one write per chunk: every write of a part of a chunk costs a whole one
        if sum(part.shape[1] for part in waiting) >= k_map.chunks[1]:
            start = _flush(k_map, waiting, start)
    _flush(k_map, waiting, start)
    return np.concatenate(predicted)


def _flush(k_map: h5py.Dataset, waiting: list[np.ndarray], start: int) -> int:
    if not waiting:
        return start
    block = np.concatenate(waiting, axis=1)
    waiting.clear()
    stop = start + block.shape[1]
    k_map[:, start:stop] = block.astype(k_map.dtype)
    return stop
