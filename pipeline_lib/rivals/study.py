"""The contest of heuristics and Fourier modes over the maps of one operator (definitions 12)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from pipeline_lib import store
from pipeline_lib.heuristics.enumeration import enumerate_heuristics
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.rivals.candidates import fourier_candidates, heuristic_candidates
from pipeline_lib.rivals.contest import CHOSEN_COLUMNS, EXPLAINED_COLUMNS, contest

MAPS_KIND = "maps"  # not imported from the artifact's module, which loads torch
MIN_PROMPTS = 4
"""With fewer there is nothing to choose on and to test on."""


def explain_maps(
    path: str | Path,
    operator: str,
    types: HeuristicSettings,
    *,
    n_prompts: int,
    n_modes: int,
    periods: Sequence[int],
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`contest` over the K maps of an artifact, at ``n_prompts`` of its prompts drawn at random.

    Every enumerated heuristic takes part, on operands or result; multi-value ones, which are found
    in single maps, do not. Both tables are empty with fewer than `MIN_PROMPTS` prompts.
    """
    with store.open_artifact(path, MAPS_KIND) as artifact:
        prompts = pd.DataFrame({name: artifact.read(name) for name in ("a", "b", "answer")})
        neurons = pd.DataFrame({name: artifact.read(name) for name in ("layer", "neuron")})
        if len(prompts) < MIN_PROMPTS or not len(neurons):
            return pd.DataFrame(columns=EXPLAINED_COLUMNS), pd.DataFrame(columns=CHOSEN_COLUMNS)
        sample = np.sort(rng.permutation(len(prompts))[:n_prompts])
        maps = _read_maps(artifact, len(neurons), sample)
    sampled = prompts.iloc[sample].reset_index(drop=True)
    heuristics = enumerate_heuristics(operator, types, prompts)
    rivals = {
        "heuristics": heuristic_candidates(heuristics, sampled),
        "modes": fourier_candidates(operator, prompts, periods, sample),
    }
    return contest(maps, sampled, neurons, rivals, n_modes=n_modes, rng=rng)


def _read_maps(
    artifact: store.Artifact, n_neurons: int, sample: Int[np.ndarray, " sampled"]
) -> Float[np.ndarray, "neuron sampled"]:
    """K maps at some prompts; a whole row is in memory at a time."""
    rows = [artifact.read("k_map", row)[sample] for row in range(n_neurons)]
    return np.stack(rows).astype(np.float32)
