"""The contest of heuristics and Fourier modes over the maps of one operator (definitions 15)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from pipeline_lib import store
from pipeline_lib.heuristics.enumeration import enumerate_heuristics
from pipeline_lib.heuristics.settings import HeuristicSettings
from pipeline_lib.rivals.candidates import FourierMode, fourier_candidates, heuristic_candidates
from pipeline_lib.rivals.contest import CHOSEN_COLUMNS, EXPLAINED_COLUMNS, contest
from pipeline_lib.rivals.map_spectra import map_spectra

KIND = "map_spectra"
MAPS_KIND = "maps"  # not imported from the artifact's module, which loads torch
MIN_PROMPTS = 4
"""With fewer there is nothing to choose on and to test on."""


@dataclass(frozen=True)
class Explained:
    """What explains the maps of one operator: see `contest` and `map_spectra`."""

    neurons: pd.DataFrame
    explained: pd.DataFrame
    chosen: pd.DataFrame
    modes: tuple[FourierMode, ...]
    spectra: Float[np.ndarray, "neuron mode"]
    n_prompts: int
    """Prompts of which all this was measured."""


def explain_maps(
    path: str | Path,
    operator: str,
    types: HeuristicSettings,
    *,
    n_prompts: int,
    n_modes: int,
    periods: Sequence[int],
    rng: np.random.Generator,
) -> Explained:
    """Heuristics and modes on the K maps of an artifact, at ``n_prompts`` of its prompts.

    Every enumerated heuristic takes part, on operands or result; multi-value ones, which are found
    in single maps, do not. Everything is empty with fewer than `MIN_PROMPTS` prompts.
    """
    with store.open_artifact(path, MAPS_KIND) as artifact:
        prompts = pd.DataFrame({name: artifact.read(name) for name in ("a", "b", "answer")})
        neurons = pd.DataFrame({name: artifact.read(name) for name in ("layer", "neuron")})
        if len(prompts) < MIN_PROMPTS or not len(neurons):
            return _nothing(neurons)
        sample = np.sort(rng.permutation(len(prompts))[:n_prompts])
        maps = _read_maps(artifact, len(neurons), sample)
    sampled = prompts.iloc[sample].reset_index(drop=True)
    heuristics = enumerate_heuristics(operator, types, prompts)
    modes, candidates = fourier_candidates(operator, prompts, periods, sample)
    rivals = {"heuristics": heuristic_candidates(heuristics, sampled), "modes": candidates}
    tables = contest(maps, sampled, neurons, rivals, n_modes=n_modes, rng=rng)
    spectra = map_spectra(maps, sampled, candidates)
    return Explained(neurons, *tables, modes, spectra, len(sampled))


def write_spectra(path: str | Path, found: Explained, provenance: Mapping[str, Any]) -> None:
    """Store the spectra: share [neuron, mode], the modes' targets being the axis's coordinates.

    Beside them layer, neuron [neuron], period [mode] and noise [mode], the mean share of a map of
    white noise: 2 of the dimensions that the trend leaves.
    """
    arrays = {
        name: store.Array(found.neurons[name].to_numpy(np.int64), ("neuron",))
        for name in ("layer", "neuron")
    }
    arrays["share"] = store.Array(found.spectra.astype(np.float32), ("neuron", "mode"))
    periods = np.array([mode.period for mode in found.modes], dtype=np.float64)
    arrays["period"] = store.Array(periods, ("mode",))
    noise = 2 / max(found.n_prompts - 3, 2)
    arrays["noise"] = store.Array(np.full(len(periods), noise), ("mode",))
    coords = {"mode": np.array([mode.target for mode in found.modes], dtype=object)}
    store.write_artifact(path, KIND, arrays, coords=coords, provenance=provenance)


def _nothing(neurons: pd.DataFrame) -> Explained:
    explained, chosen = (pd.DataFrame(columns=c) for c in (EXPLAINED_COLUMNS, CHOSEN_COLUMNS))
    return Explained(neurons, explained, chosen, (), np.zeros((len(neurons), 0)), 0)


def _read_maps(
    artifact: store.Artifact, n_neurons: int, sample: Int[np.ndarray, " sampled"]
) -> Float[np.ndarray, "neuron sampled"]:
    """K maps at some prompts; a whole row is in memory at a time."""
    rows = [artifact.read("k_map", row)[sample] for row in range(n_neurons)]
    return np.stack(rows).astype(np.float32)
