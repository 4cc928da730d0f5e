"""Logits of all candidates in the sweeps of the study odd one out (nats, float32).

``{sweep}_before`` [pair, candidate] and ``{sweep}_after`` [pair, place, layer, component,
candidate], axes named by sweep because every sweep has its own sizes; candidate 0 is the answer.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline_lib import store
from pipeline_lib.odd_one_out.sweeping import Cells

KIND = "odd_one_out_logits"


def write_sweep_logits(
    path: str | Path, sweeps: Mapping[str, Cells], provenance: Mapping[str, Any]
) -> None:
    """Store the candidates' logits before and after every patch."""
    arrays = {}
    for name, cells in sweeps.items():
        axes = [f"{name}_{axis}" for axis in ("pair", "place", "layer", "component")]
        before, after = (x.astype(np.float32) for x in (cells.before, cells.after))
        arrays[f"{name}_before"] = store.Array(before, (axes[0], "candidate"), "nat")
        arrays[f"{name}_after"] = store.Array(after, (*axes, "candidate"), "nat")
    store.write_artifact(path, KIND, arrays, coords={}, provenance=provenance)
