"""From which layer on the answer can be read; free of torch, so that tables are read quickly."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

logger = logging.getLogger(__name__)


def first_readable_layer(
    probes: pd.DataFrame, accuracy: float, position: str = "equals"
) -> int | None:
    """First layer at which the mean accuracy over operators of the answer's probe passes a value.

    ``probes`` are the tables of all operators, joined; each operator with rows weighs the same.
    None when no layer passes it, or no operator has probes (definitions 5, `auto`).
    """
    rows = probes[(probes["variant"] == "answer") & (probes["position"] == position)]
    means = rows.groupby("layer", sort=True)["accuracy"].mean()
    passing = means.index[means.to_numpy(dtype=np.float64) > accuracy]
    return int(passing[0]) if len(passing) else None


def resolve_first_layer(
    neurons: Mapping[str, Any], probes: Sequence[pd.DataFrame]
) -> dict[str, Any]:
    """The settings with ``first_heuristics_layer`` `auto` replaced by what the probes say.

    ``probes`` are the tables of all operators, ``readable_accuracy`` is what a layer must pass.
    Where no layer passes it, `half` stands in and the log says so: a model that answers nothing
    goes through every stage all the same. Other settings stay as they are.
    """
    if neurons["first_heuristics_layer"] != "auto":
        return dict(neurons)
    tables = [table for table in probes if len(table)]
    accuracy = neurons["readable_accuracy"]
    layer = first_readable_layer(pd.concat(tables), accuracy) if tables else None
    if layer is None:
        logger.warning("no layer's probe passes %g at '=': half of the layers are taken", accuracy)
    return {**neurons, "first_heuristics_layer": "half" if layer is None else layer}
