"""Spectra of neurons' maps over the valid prompts, by least squares on whatever these fill."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from pipeline_lib.rivals.candidates import Candidates, start_columns
from pipeline_lib.rivals.columns import Columns, Written
from pipeline_lib.rivals.selection import gains, start_fit

Maps = Float[np.ndarray, "neuron prompt"]


def map_spectra(
    maps: Maps, prompts: pd.DataFrame, modes: Candidates
) -> Float[np.ndarray, "neuron mode"]:
    """Share of each map's variance that each mode alone explains beside the trend in a and b.

    Of what the trend leaves; NaN for a map without variance.
    """
    start = start_columns(prompts, trend=True)
    columns = Columns((Written(start), *modes.columns.parts))
    gram = columns.gram()
    centred = maps.astype(np.float64) - maps.mean(axis=1, keepdims=True, dtype=np.float64)
    products = columns.products(centred.T)
    shares = np.full((len(maps), len(modes)), np.nan)
    for neuron, values in enumerate(centred):
        left, taken = start_fit(gram, products[:, neuron], start.shape[1])
        fitted = np.linalg.lstsq(start, values, rcond=None)[0]
        total = ((values - start @ fitted) ** 2).sum()
        if np.ptp(maps[neuron]) > 0 and total > 0:
            shares[neuron] = gains(gram, left, taken, start.shape[1], modes.width) / total
    return shares
