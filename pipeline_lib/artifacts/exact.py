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
from jaxtyping import Int64

from pipeline_lib import store
from pipeline_lib.artifacts.neuron_effects import EXACT
from pipeline_lib.neurons.exact import STRATA, NeuronEffects


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
    store.write_artifact(path, EXACT, arrays, coords=coords, provenance=provenance)
