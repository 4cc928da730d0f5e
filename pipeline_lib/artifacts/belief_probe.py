"""The belief probes of the study bayes on disk: one of each layer.

weights [layer, d_model] and intercept [layer] read the belief from the normed residual; directions
[layer, d_model], unit vectors of the residual stream along which this reading grows.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline_lib import store
from pipeline_lib.bayes.probe import Probed
from pipeline_lib.bayes.steering import Probe

KIND = "belief_probe"


def write_probes(path: str | Path, probed: Probed, provenance: Mapping[str, Any]) -> None:
    """Store the probes of all layers and which of them is best."""
    best = int(probed.scores.loc[probed.scores["best"], "layer"].iloc[0])
    axes = ("layer", "d_model")
    arrays = {
        "weights": store.Array(probed.weights, axes),
        "intercept": store.Array(probed.intercept, ("layer",)),
        "directions": store.Array(probed.directions, axes),
        "best_layer": store.Array(np.array(best, dtype=np.int64), ()),
    }
    coords = {"layer": np.array(probed.layers)}
    store.write_artifact(path, KIND, arrays, coords=coords, provenance=provenance)


def read_best_probe(path: str | Path) -> Probe:
    """The probe of the best layer."""
    with store.open_artifact(path, KIND) as artifact:
        best = int(artifact.read("best_layer"))
        row = [int(layer) for layer in artifact.coords("layer")].index(best)
        return Probe(best, artifact.read("weights", row), artifact.read("directions", row))
