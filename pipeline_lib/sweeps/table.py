"""The table of a sweep: one row for each layer, component and position."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64

from pipeline_lib.stats import bootstrap_mean_interval

COLUMNS = (
    "layer",
    "component",
    "position",
    "metric_before",
    "metric_after",
    "effect",
    "low",
    "high",
    "n",
)


def tabulate(
    before: Float64[np.ndarray, " pair"],
    after: Float64[np.ndarray, "pair place layer component"],
    effect: Float64[np.ndarray, "pair place layer component"],
    *,
    places: Sequence[str],
    layers: Sequence[int],
    components: Sequence[str],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Means over pairs with 95 % bootstrap intervals of the effect; columns `COLUMNS`.

    ``before`` and ``after`` are the measure without and with each patch, ``effect`` what is plotted
    of it, such as their difference or the recovery; NaN (an absent place, an undefined ratio) is
    left out, and ``n`` counts the pairs that count. Rows without any are NaN with n = 0.
    """
    rows = []
    for place, position in enumerate(places):
        for layer, number in enumerate(layers):
            for column, component in enumerate(components):
                cell = (slice(None), place, layer, column)
                counted = np.isfinite(effect[cell])
                values = effect[cell][counted]
                low, high = bootstrap_mean_interval(values, rng)
                means = [_mean(x[counted]) for x in (before, after[cell], effect[cell])]
                ends = (float(low), float(high), len(values))
                rows.append((number, component, position, *means, *ends))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _mean(values: Float64[np.ndarray, " pair"]) -> float:
    return float(values.mean()) if len(values) else float("nan")
