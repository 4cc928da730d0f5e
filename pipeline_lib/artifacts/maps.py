"""Map artifacts: activations of the top neurons over the operand plane.

k_map [neuron, prompt]: mlp_post at "=", over every valid prompt; value_logits [neuron, number]:
logit of every number's token in the neuron's value vector; layer, neuron [neuron] and a, b, answer
[prompt] say which is which. The KV map is k_map times the value logit of the prompt's answer
(definitions 6); it is computed when read, never stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pipeline_lib import store
from pipeline_lib.errors import ArtifactError
from pipeline_lib.interventions.capture import iter_captured, predict_tokens
from pipeline_lib.interventions.values import value_logits
from pipeline_lib.logs import progress
from pipeline_lib.models.loading import LanguageModel

KIND = "maps"
CHUNK = 1 << 13  # prompts: the unit in which rows are written and read


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
    captured = iter_captured(model, tokens, ("mlp_post",), layers=layers, positions=[-1])
    for batch in progress(captured, "mapping neurons"):
        assert batch.logits is not None
        predicted.append(batch.logits.argmax(-1).numpy())
        waiting.append(batch.site("mlp_post")[:, 0, place, index].T.numpy())
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


@dataclass(frozen=True)
class Maps:
    """Maps of some neurons in memory: see the module's first lines for the axes."""

    neurons: pd.DataFrame
    prompts: pd.DataFrame
    k_map: Float[np.ndarray, "neuron prompt"]
    value_logits: Float[np.ndarray, "neuron number"]

    @property
    def kv_map(self) -> Float[np.ndarray, "neuron prompt"]:
        """K map times the value logit of each prompt's correct answer."""
        return self.k_map * self.value_logits[:, self.prompts["answer"].to_numpy()]


def neuron_index(artifact: store.Artifact) -> pd.DataFrame:
    """The (layer, neuron) of every row of a map artifact."""
    return pd.DataFrame({name: artifact.read(name) for name in ("layer", "neuron")})


def read_norms(artifact: store.Artifact) -> pd.DataFrame:
    """Activation norm of every neuron: root mean square of its K map; a neuron at a time.

    Columns layer, neuron, norm; NaN where there are no prompts.
    """
    table = neuron_index(artifact)
    n_prompts = len(artifact.read("a"))
    if not n_prompts:
        return table.assign(norm=np.nan)
    maps = (artifact.read("k_map", row).astype(np.float64) for row in range(len(table)))
    return table.assign(norm=[float(np.sqrt(np.mean(k_map**2))) for k_map in maps])


def prompt_index(artifact: store.Artifact, operator: str) -> pd.DataFrame:
    """The prompts of a map artifact's columns, as a prompt table."""
    columns = {name: artifact.read(name) for name in ("a", "b", "answer")}
    return pd.DataFrame({"operator": operator, **columns})


def read_activations_of(
    artifact: store.Artifact, prompts: pd.DataFrame
) -> Float[np.ndarray, "neuron prompt"]:
    """K map of every neuron at some prompts (columns a, b), as float32; a neuron at a time.

    Raises ArtifactError for a prompt that the maps do not hold.
    """
    columns = {(int(a), int(b)): place for place, (a, b) in enumerate(_operands(artifact))}
    wanted = zip(prompts["a"].tolist(), prompts["b"].tolist(), strict=True)
    try:
        places = np.array([columns[pair] for pair in wanted], dtype=np.int64)
    except KeyError as error:
        raise ArtifactError(
            "the maps do not hold a prompt",
            where=artifact.path,
            value=error.args[0],
            hint=store.RERUN_HINT,
        ) from None
    n_neurons = len(neuron_index(artifact))
    found = np.zeros((n_neurons, len(places)), dtype=np.float32)
    for row in range(n_neurons if len(places) else 0):
        found[row] = artifact.read("k_map", row)[places]
    return found


def _operands(artifact: store.Artifact) -> Int64[np.ndarray, "prompt 2"]:
    return np.stack([artifact.read("a"), artifact.read("b")], axis=1)


def read_maps(artifact: store.Artifact, operator: str, rows: slice | list[int]) -> Maps:
    """Maps of some rows of an open map artifact, as float32."""
    return Maps(
        neurons=neuron_index(artifact).iloc[rows].reset_index(drop=True),
        prompts=prompt_index(artifact, operator),
        k_map=artifact.read("k_map", rows).astype(np.float32),
        value_logits=artifact.read("value_logits", rows),
    )
