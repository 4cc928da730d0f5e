"""Activation artifacts: what a run left at each site, streamed to HDF5 and read back.

Axes: z [prompt, pos, layer, head, d_head], mlp_post [prompt, pos, layer, neuron], resid_post
[prompt, pos, layer, d_model], logits [prompt, vocab] of the last position.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from pipeline_lib import store
from pipeline_lib.interventions.capture import Activations, iter_captured
from pipeline_lib.interventions.hooks import Site
from pipeline_lib.logs import progress
from pipeline_lib.models.loading import LanguageModel

KIND = "activations"
SITE_AXES = {
    "z": ("prompt", "pos", "layer", "head", "d_head"),
    "mlp_post": ("prompt", "pos", "layer", "neuron"),
    "resid_post": ("prompt", "pos", "layer", "d_model"),
    "logits": ("prompt", "vocab"),
}


def site_shape(model: LanguageModel, site: str, n_prompts: int, n_pos: int) -> tuple[int, ...]:
    """Shape of a site's dataset."""
    sizes = {
        "prompt": n_prompts,
        "pos": n_pos,
        "layer": model.n_layers,
        "head": model.n_heads,
        "d_head": model.d_head,
        "neuron": model.d_mlp,
        "d_model": model.d_model,
        "vocab": model.d_vocab,
    }
    return tuple(sizes[axis] for axis in SITE_AXES[site])


def write_activations(
    path: str | Path,
    model: LanguageModel,
    tokens: Int[Tensor, "prompt pos"],
    sites: Sequence[Site],
    *,
    dtype: str,
    provenance: Mapping[str, Any],
) -> None:
    """Run ``tokens`` and store the sites at all layers and positions, and the last logits.

    Memory does not grow with the number of prompts: each batch is written as it comes. ``dtype``
    (float32 or float16) is that of the stored sites; logits are always float32. Raises DiskError
    when the disk cannot hold the file, ActivationError for NaN or infinite values.
    """
    n_prompts, n_pos = tokens.shape
    types = dict.fromkeys(sites, np.dtype(dtype)) | {"logits": np.dtype("float32")}
    shapes = {site: site_shape(model, site, n_prompts, n_pos) for site in types}
    n_bytes = sum(int(np.prod(shapes[site])) * types[site].itemsize for site in types)
    store.require_space(Path(path).parent, n_bytes)
    coords = {"layer": np.arange(model.n_layers), "pos": np.arange(n_pos)}
    with store.create_artifact(path, KIND, coords=coords, provenance=provenance) as writer:
        writer.add("tokens", store.Array(tokens.cpu().numpy(), ("prompt", "pos")))
        datasets = {
            site: writer.reserve(site, shapes[site], types[site], SITE_AXES[site], "activation")
            for site in types
        }
        start = 0
        batches = iter_captured(model, tokens, tuple(sites))
        for batch in progress(batches, "running prompts"):
            start = _write_batch(datasets, batch, start)


def _write_batch(datasets: dict[str, h5py.Dataset], batch: Activations, start: int) -> int:
    stop = start + len(batch)
    for site, dataset in datasets.items():
        values = getattr(batch, site).float().cpu().numpy()
        dataset[start:stop] = values.astype(dataset.dtype)
    return stop


def read_activations(path: str | Path, sites: Sequence[Site]) -> Activations:
    """The named sites and the logits of an activation artifact, as float32 tensors."""
    with store.open_artifact(path, KIND) as artifact:
        arrays = {
            name: torch.from_numpy(artifact.read(name)).float() for name in (*sites, "logits")
        }
        return Activations(
            tokens=torch.from_numpy(artifact.read("tokens")),
            positions=tuple(int(pos) for pos in artifact.coords("pos")),
            layers=tuple(int(layer) for layer in artifact.coords("layer")),
            **arrays,
        )


def join(parts: Sequence[Activations]) -> Activations:
    """Activations of several prompt tables, one after the other (same positions and layers)."""
    arrays: dict[str, Any] = {
        name: torch.cat([part.arrays()[name] for part in parts]) for name in parts[0].arrays()
    }
    return replace(parts[0], **arrays)
