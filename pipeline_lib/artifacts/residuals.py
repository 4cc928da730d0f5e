"""Residual artifacts: resid_post of labelled prompts, with their answers in the same file.

Axes: resid_post [prompt, position, layer, d_model]; a, b and answer [prompt]. Row i of all is the
same prompt: activations and labels cannot come apart between two files.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from torch import Tensor

from pipeline_lib import store
from pipeline_lib.interventions.capture import iter_captured
from pipeline_lib.logs import progress
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.probing.budget import chunk_shape

KIND = "residuals"
AXES = ("prompt", "position", "layer", "d_model")
PROMPT_COLUMNS = ("a", "b", "answer")


def write_residuals(
    path: str | Path,
    model: LanguageModel,
    tokens: Int[Tensor, "prompt token"],
    prompts: pd.DataFrame,
    *,
    positions: Sequence[str],
    dtype: str,
    provenance: Mapping[str, Any],
) -> None:
    """Run ``tokens`` and store resid_post at their last columns, one for each name of a position.

    Row i of ``prompts`` (a, b, answer) is what row i of ``tokens`` asks; both are stored.
    A chunk holds one layer, so that reading some layers reads little else. Memory does not grow
    with the number of prompts. Raises DiskError when the disk cannot hold the file,
    ActivationError for NaN or infinite values.
    """
    kind, shape = np.dtype(dtype), (len(tokens), len(positions), model.n_layers, model.d_model)
    store.require_space(Path(path).parent, int(np.prod(shape)) * kind.itemsize)
    coords: dict[str, Any] = {"position": positions, "layer": np.arange(model.n_layers)}
    with store.create_artifact(path, KIND, coords=coords, provenance=provenance) as writer:
        for name in PROMPT_COLUMNS:
            values = prompts[name].to_numpy(dtype=np.int64)
            writer.add(name, store.Array(values, ("prompt",)))
        chunks = chunk_shape(shape, kind.itemsize)
        dataset = writer.reserve("resid_post", shape, kind, AXES, "activation", chunks)
        last = range(-len(positions), 0)
        batches = iter_captured(model, tokens, ["resid_post"], positions=last, keep_logits=False)
        start = 0
        for batch in progress(batches, "running prompts"):
            values = batch.site("resid_post").float().cpu().numpy()
            dataset[start : start + len(batch)] = values.astype(kind)
            start += len(batch)


@dataclass(frozen=True)
class Residuals:
    """Residual artifact opened for reading; made by `open_residuals`."""

    artifact: store.Artifact
    answers: Int[np.ndarray, " prompt"]
    positions: tuple[str, ...]
    n_layers: int
    d_model: int

    def layers(self, layers: slice) -> Float[np.ndarray, "prompt position layer d_model"]:
        """resid_post of a range of layers in float32; only they are read."""
        index = (slice(None), slice(None), layers)
        return self.artifact.read("resid_post", index).astype(np.float32)


@contextmanager
def open_residuals(path: str | Path) -> Iterator[Residuals]:
    """Open a residual artifact; ArtifactError when it is none, or not a whole one."""
    with store.open_artifact(path, KIND) as artifact:
        shape = artifact.dataset("resid_post").shape
        positions = tuple(str(name) for name in artifact.coords("position"))
        yield Residuals(artifact, artifact.read("answer"), positions, shape[2], shape[3])
