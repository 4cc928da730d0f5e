"""Reading the effects by which neurons are ranked: estimated by attribution, or exact."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from pipeline_lib import store
from pipeline_lib.errors import ArtifactError

ATTRIBUTION, EXACT = "attribution", "exact_neurons"
"""Kinds of artifacts."""


def read_neuron_effects(
    attribution: str | Path, exact: Sequence[str | Path] = ()
) -> Float[np.ndarray, "prompt layer neuron"]:
    """Effects at "=" that rank neurons: the attribution's, or those of an ``exact`` artifact."""
    if exact:
        return read_exact_effects(exact[0])
    with store.open_artifact(attribution, ATTRIBUTION) as artifact:
        return artifact.read("neurons_last")


def read_exact_effects(path: str | Path) -> Float[np.ndarray, "prompt layer neuron"]:
    """Exact effect that ranks every neuron: 1/2 the change of log P(r')/P(r), in nats.

    What attribution estimates, and bounded, which eq. 1 is not: its mean is that of one or two
    prompts. Raises ArtifactError where only a sample of neurons was patched.
    """
    with store.open_artifact(path, EXACT) as artifact:
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
