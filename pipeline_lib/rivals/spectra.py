"""Power spectra of the residuals of numbers.

Numbers may be missing (products skip primes), so there is no Fourier transform to take. The power
of a period is what a cosine and a sine of it explain by least squares beside a constant and a
straight line, as a share of what those leave; on a whole grid of numbers that is the transform's
power after removing the line.
"""

import numpy as np
from jaxtyping import Float, Int

from pipeline_lib.rivals.waves import waves

States = Float[np.ndarray, "number d_model"]
Numbers = Int[np.ndarray, " number"]
Found = Float[np.ndarray, " frequency"]


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
