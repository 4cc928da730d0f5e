"""Artifact of a sweep of the study power.

after, effect (nats), recovery: [pair, layer, token], or [pair, layer, component, token] for several
components, NaN where a pair has no such token; base, source (nats) [pair]: log-ratios of the runs.
Coordinates: pair is the line in the table of pairs, layer -1 is what enters the first, token counts
from the end (-1 is the last). Recovery is NaN where the runs differ by no more than the noise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from pipeline_lib import store

KIND = "power_sweep"


@dataclass(frozen=True)
class StoredSweep:
    """A sweep as it is stored; arrays always have the axis of components."""

    lines: list[int]
    layers: list[int]
    components: list[str]
    places: list[int]
    base: Float64[np.ndarray, " pair"]
    source: Float64[np.ndarray, " pair"]
    after: Float64[np.ndarray, "pair layer component token"]
    recovery: Float64[np.ndarray, "pair layer component token"]

    @property
    def effect(self) -> Float64[np.ndarray, "pair layer component token"]:
        """Change of the log-ratio by each patch, in nats."""
        return self.after - self.base[:, None, None, None]


def write_power_sweep(path: str | Path, sweep: StoredSweep, provenance: Mapping[str, Any]) -> None:
    """Store a sweep; raises DiskError when the disk cannot hold it."""
    axes: Sequence[str] = ("pair", "layer", "component", "token")
    several = len(sweep.components) > 1
    chosen = tuple(axis for axis in axes if several or axis != "component")
    values = {"after": sweep.after, "effect": sweep.effect, "recovery": sweep.recovery}
    units = {"after": "nat", "effect": "nat", "recovery": "1"}
    arrays = {
        name: store.Array(array if several else array[:, :, 0], chosen, units[name])
        for name, array in values.items()
    }
    for name in ("base", "source"):
        arrays[name] = store.Array(getattr(sweep, name), ("pair",), "nat")
    coords: dict[str, Any] = {
        "pair": np.array(sweep.lines, dtype=np.int64),
        "layer": np.array(sweep.layers, dtype=np.int64),
        "component": sweep.components,
        "token": np.array(sweep.places, dtype=np.int64),
    }
    store.write_artifact(path, KIND, arrays, coords=coords, provenance=provenance)


def read_power_sweep(path: str | Path) -> StoredSweep:
    """A sweep; raises ArtifactError for a file that is none."""
    with store.open_artifact(path, KIND) as artifact:
        coords = {axis: artifact.coords(axis) for axis in ("pair", "layer", "component", "token")}
        arrays = {}
        for name in ("after", "recovery"):
            values = artifact.read(name).astype(np.float64)
            arrays[name] = values if values.ndim == 4 else values[:, :, None]
        runs = {name: artifact.read(name).astype(np.float64) for name in ("base", "source")}
    return StoredSweep(
        lines=[int(line) for line in coords["pair"]],
        layers=[int(layer) for layer in coords["layer"]],
        components=[str(name) for name in coords["component"]],
        places=[int(place) for place in coords["token"]],
        **runs,
        **arrays,
    )
