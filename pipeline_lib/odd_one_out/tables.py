"""Sweep tables of measures that have a value before and after in every cell."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64

from pipeline_lib.stats import bootstrap_mean_interval
from pipeline_lib.sweeps import COLUMNS


def tabulate_changes(
    before: Float64[np.ndarray, "pair cell"],
    after: Float64[np.ndarray, "pair cell"],
    cells: Sequence[tuple[int, str, str]],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Columns of `tabulate`: each cell's (layer, component, position), means, change, interval."""
    change = after - before
    low, high = bootstrap_mean_interval(change, rng)
    table = pd.DataFrame(cells, columns=list(COLUMNS[:3]))
    means = {"metric_before": before, "metric_after": after, "effect": change}
    for name, values in means.items():
        table[name] = values.mean(axis=0) if len(values) else np.nan
    return table.assign(low=low, high=high, n=len(before))[list(COLUMNS)]
