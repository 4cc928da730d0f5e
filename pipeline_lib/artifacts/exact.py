"""Artifacts of single neurons patched one at a time at the last position (definitions 12).

indirect_effect, log_odds_change (nats), gradient, integrated: [prompt, patched], float32 except the
first, which has no bound; layer, neuron, weight and stratum (a place among the names `STRATA`) of
every patched neuron; discovery [prompt]: row of the clean prompt among the discovery prompts. The
same prompts come once for each seed, one seed after the other. shape: layers, neurons of a layer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64

from pipeline_lib import store
from pipeline_lib.errors import ArtifactError
from pipeline_lib.neurons.exact import STRATA, NeuronEffects

KIND = "exact_neurons"


def write_exact(
    path: str | Path,
    chosen: pd.DataFrame,
    effects: NeuronEffects,
    seeds: Sequence[int],
    prompts: Int64[np.ndarray, " prompt"],
    shape: tuple[int, int],
    provenance: Mapping[str, Any],
) -> None:
    """Store the effects of the chosen neurons in the same ``prompts`` for every seed.

    ``shape``: layers and neurons of a layer, of the model.
    """
    arrays = {
        field.name: store.Array(
            getattr(effects, field.name).astype(
                np.float64 if field.name == "indirect_effect" else np.float32
            ),
            ("prompt", "patched"),
            "nat" if field.name == "log_odds_change" else "1",
        )
        for field in fields(effects)
    }
    strata = np.array([STRATA.index(name) for name in chosen["stratum"]], dtype=np.int64)
    columns = {name: chosen[name].to_numpy() for name in ("layer", "neuron", "weight")}
    for name, values in {**columns, "stratum": strata}.items():
        arrays[name] = store.Array(values, ("patched",))
    arrays["discovery"] = store.Array(np.tile(prompts, len(seeds)), ("prompt",))
    arrays["shape"] = store.Array(np.array(shape, dtype=np.int64), ("size",))
    coords: dict[str, Any] = {"seed": np.array(seeds), "stratum_name": list(STRATA)}
    store.write_artifact(path, KIND, arrays, coords=coords, provenance=provenance)


def read_exact_effects(path: str | Path) -> Float[np.ndarray, "prompt layer neuron"]:
    """Exact effect that ranks every neuron: 1/2 the change of log P(r')/P(r), in nats.

    What attribution estimates, and bounded, which eq. 1 is not: its mean is that of one or two
    prompts. Raises ArtifactError where only a sample of neurons was patched.
    """
    with store.open_artifact(path, KIND) as artifact:
        n_layers, n_neurons = artifact.read("shape").tolist()
        effects = -artifact.read("log_odds_change") / 2
        layer, neuron = artifact.read("layer"), artifact.read("neuron")
    if len(layer) != n_layers * n_neurons:
        raise ArtifactError(
            "the exact effects are those of a sample of neurons",
            where=str(path),
            value=f"{len(layer)} of {n_layers * n_neurons}",
            hint=store.RERUN_HINT,
        )
    grid = np.empty((len(effects), n_layers, n_neurons), effects.dtype)
    grid[:, layer, neuron] = effects
    return grid
