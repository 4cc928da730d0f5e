"""Mean activations on disk: what ablated heads and neurons are set to.

z [pos, layer, head, d_head] and mlp_post [pos, layer, neuron], means over prompts at every token
position; tokens [pos] of the first of these prompts; n_prompts, how many there were.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline_lib import store
from pipeline_lib.artifacts.activations import SITE_AXES
from pipeline_lib.interventions.capture import Activations
from pipeline_lib.interventions.hooks import Site

KIND = "means"
MEAN_SITES: tuple[Site, ...] = ("z", "mlp_post")


def write_means(
    path: str | Path, means: Activations, n_prompts: int, provenance: Mapping[str, Any]
) -> None:
    """Store the means over ``n_prompts`` prompts, which are activations of one prompt.

    In the type they were computed in: float32, or float64 for a float64 model.
    """
    arrays: dict[str, store.Array] = {
        site: store.Array(means.site(site)[0].numpy(), SITE_AXES[site][1:], "activation")
        for site in MEAN_SITES
    }
    arrays["tokens"] = store.Array(means.tokens[0].numpy(), ("pos",))
    arrays["n_prompts"] = store.Array(np.array(n_prompts, dtype=np.int64), ())
    coords = {"pos": np.array(means.positions), "layer": np.array(means.layers)}
    store.write_artifact(path, KIND, arrays, coords=coords, provenance=provenance)


def read_means(path: str | Path) -> Activations:
    """The means as activations of one prompt."""
    with store.open_artifact(path, KIND) as artifact:
        sites = {site: torch.from_numpy(artifact.read(site))[None] for site in MEAN_SITES}
        return Activations(
            tokens=torch.from_numpy(artifact.read("tokens"))[None],
            positions=tuple(int(pos) for pos in artifact.coords("pos")),
            layers=tuple(int(layer) for layer in artifact.coords("layer")),
            **sites,
        )
