"""Artifacts over single numbers and answers: OV maps, MLP0 as an embedding, key vectors, outputs.

OV: logits [layer, head, from, to], float16, a chunk a head: what a head that attends to number
``from`` adds to the logit of number ``to``. MLP0: activation [number, neuron] at the number in the
prompt [BOS, number]. Keys: logits [neuron, number] under the name of each projection into the MLP
("gate" and "up", or "in"), layer and neuron [neuron]. Outputs: mlp_out [prompt, d_model] of one
layer at "=", without its bias; operator, a, b, answer [prompt].
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int64

from pipeline_lib import store
from pipeline_lib.artifacts.attention import Encode
from pipeline_lib.interventions.capture import capture
from pipeline_lib.interventions.values import Source, key_logits, ov_logits
from pipeline_lib.logs import progress
from pipeline_lib.models.loading import LanguageModel

OV_KIND = "ov_maps"
MLP0_KIND = "mlp0_numbers"
KEYS_KIND = "key_vectors"
OUTPUTS_KIND = "mlp_outputs"
OV_AXES = ("layer", "head", "from", "to")


def write_ov_maps(
    path: str | Path,
    model: LanguageModel,
    number_ids: Int64[np.ndarray, " number"],
    *,
    source: Source,
    provenance: Mapping[str, Any],
) -> None:
    """Store `ov_logits` of every head over the given numbers; one layer in memory at a time.

    Raises DiskError when the disk cannot hold the file.
    """
    n = len(number_ids)
    shape = (model.n_layers, model.n_heads, n, n)
    store.require_space(Path(path).parent, 2 * int(np.prod(shape)))
    names = {"layer": np.arange(model.n_layers), "head": np.arange(model.n_heads)}
    coords = names | {"from": np.arange(n), "to": np.arange(n)}
    with store.create_artifact(path, OV_KIND, coords=coords, provenance=provenance) as writer:
        chunks = (1, 1, n, n)
        logits = writer.reserve("logits", shape, "float16", OV_AXES, "logit", chunks)
        for layer in progress(range(model.n_layers), "OV maps"):
            found = ov_logits(model, layer, torch.tensor(number_ids), source=source)
            logits[layer] = found.numpy().astype(np.float16)


def write_mlp0(
    path: str | Path,
    model: LanguageModel,
    bos_id: int,
    number_ids: Int64[np.ndarray, " number"],
    *,
    provenance: Mapping[str, Any],
) -> None:
    """Store the activations of all of MLP0's neurons on the prompts [BOS, n] (definitions 9).

    Raises ActivationError for NaN or infinite activations.
    """
    ids = torch.tensor(number_ids)
    tokens = torch.stack([torch.full_like(ids, bos_id), ids], dim=1)
    run = capture(model, tokens, ("mlp_post",), layers=[0], positions=[-1], keep_logits=False)
    values = run.site("mlp_post")[:, 0, 0].float().numpy()
    arrays = {"activation": store.Array(values, ("number", "neuron"), "activation")}
    coords = {"number": np.arange(len(number_ids))}
    store.write_artifact(path, MLP0_KIND, arrays, coords=coords, provenance=provenance)


def write_keys(
    path: str | Path,
    model: LanguageModel,
    neurons: pd.DataFrame,
    number_ids: Int64[np.ndarray, " number"],
    *,
    provenance: Mapping[str, Any],
) -> None:
    """Store `key_logits` of the neurons (rows of layer, neuron), in their order."""
    neurons = neurons.reset_index(drop=True)
    shape = (len(neurons), len(number_ids))
    found = {name: np.zeros(shape, dtype=np.float32) for name in model.arch.mlp_ins}
    for layer, rows in neurons.groupby("layer"):
        chosen = torch.tensor(rows["neuron"].to_numpy(dtype=np.int64))
        logits = key_logits(model, int(str(layer)), chosen, torch.tensor(number_ids))
        for name, values in logits.items():
            found[name][rows.index] = values.float().numpy()
    axes = ("neuron", "number")
    arrays = {name: store.Array(values, axes, "logit") for name, values in found.items()}
    for name in ("layer", "neuron"):
        arrays[name] = store.Array(neurons[name].to_numpy(np.int64), ("neuron",))
    store.write_artifact(path, KEYS_KIND, arrays, coords={}, provenance=provenance)


def write_outputs(
    path: str | Path,
    model: LanguageModel,
    encode: Encode,
    prompts: Mapping[str, pd.DataFrame],
    *,
    layer: int,
    provenance: Mapping[str, Any],
) -> None:
    """Store what the MLP of a layer writes at "=" on every operator's prompts.

    Raises ActivationError for NaN or infinite activations.
    """
    parts, names = [np.zeros((0, model.d_model), np.float32)], list(prompts)
    w_out = model.w_out(layer).float().cpu()
    for table in progress(prompts.values(), "MLP outputs"):
        if len(table):
            run = capture(
                model,
                encode(table),
                ("mlp_post",),
                layers=[layer],
                positions=[-1],
                keep_logits=False,
            )
            parts.append((run.site("mlp_post")[:, 0, 0].float() @ w_out).numpy())
    rows = pd.concat([prompts[name][["a", "b", "answer"]] for name in names]).astype(np.int64)
    operator = np.repeat(np.arange(len(names)), [len(prompts[name]) for name in names])
    arrays = {
        "mlp_out": store.Array(np.concatenate(parts), ("prompt", "d_model"), "activation"),
        "operator": store.Array(operator, ("prompt",)),
        **{name: store.Array(rows[name].to_numpy(), ("prompt",)) for name in rows},
    }
    coords = {"operator": names}
    store.write_artifact(path, OUTPUTS_KIND, arrays, coords=coords, provenance=provenance)
