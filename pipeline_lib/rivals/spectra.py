"""Power spectra: of the residuals of numbers, and of neurons' maps over the prompts.

Numbers may be missing (products skip primes) and valid prompts fill a triangle or a hyperbola, so
there is no Fourier transform to take. The power of a period is what a cosine and a sine of it
explain by least squares beside a constant and a straight trend, as a share of what those leave; on
a whole grid of numbers that is the transform's power after removing the trend.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from pipeline_lib.rivals.candidates import Candidates, start_columns, waves
from pipeline_lib.rivals.columns import Columns, Written
from pipeline_lib.rivals.selection import gains, start_fit

States = Float[np.ndarray, "number d_model"]
Numbers = Int[np.ndarray, " number"]
Found = Float[np.ndarray, " frequency"]
Maps = Float[np.ndarray, "neuron prompt"]


def number_spectrum(states: States, numbers: Numbers, found: Found) -> Float[np.ndarray, " period"]:
    """Share of the variance of ``states`` at each frequency (cycles a unit), over all dimensions.

    Beside a straight line in the number; NaN where the line leaves nothing.
    """
    left = detrended(states.astype(np.float64), numbers)
    return _shares(_wave_directions(numbers, found), left)


def null_spectra(
    states: States, numbers: Numbers, found: Found, rng: np.random.Generator, n: int
) -> Float[np.ndarray, "draw period"]:
    """`number_spectrum` of the same residuals dealt out to the numbers at random, ``n`` times."""
    directions = _wave_directions(numbers, found)
    values = states.astype(np.float64)
    draws = [
        _shares(directions, detrended(values[rng.permutation(len(numbers))], numbers))
        for _ in range(n)
    ]
    return np.array(draws).reshape(n, len(found))


def detrended(values: Float[np.ndarray, "number column"], numbers: Numbers) -> np.ndarray:
    """The columns less their least-squares line in the number."""
    line = np.stack([np.ones(len(numbers)), numbers - numbers.mean()], axis=1)
    basis, triangle = np.linalg.qr(line)
    basis = basis[:, np.abs(np.diagonal(triangle)) > 1e-9]
    return values - basis @ (basis.T @ values)


def _wave_directions(numbers: Numbers, found: Found) -> Float[np.ndarray, "frequency number pair"]:
    """Orthonormal directions of the cosine and sine of each frequency beside the trend.

    A direction that the trend or the cosine already has is 0.
    """
    left = detrended(waves(numbers, found), numbers).reshape(len(numbers), -1, 2)
    cos, sin = left[..., 0].T, left[..., 1].T
    cos = _unit(cos)
    sin = _unit(sin - cos * (cos * sin).sum(axis=1, keepdims=True))
    return np.stack([cos, sin], axis=2)


def _unit(rows: Float[np.ndarray, "row number"]) -> Float[np.ndarray, "row number"]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-6)


def _shares(
    directions: Float[np.ndarray, "frequency number pair"],
    values: Float[np.ndarray, "number column"],
) -> Float[np.ndarray, " frequency"]:
    total = (values**2).sum()
    if not len(values) or total <= 1e-12:
        return np.full(len(directions), np.nan)
    flat = directions.transpose(0, 2, 1).reshape(-1, len(values))
    power = ((flat @ values) ** 2).sum(axis=1).reshape(-1, 2).sum(axis=1)
    return power / total


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
