"""Meaningless maps that are as smooth as a given one: what a neuron's map could be by chance.

A surrogate is a random surface without direction or period: a sum of white noise and of smooth
noise of several length scales, in the shares that explain the map's own spectrum best, with the
map's own values. Randomising only the phases of the map's own spectrum would keep the direction
and period of every stripe: a neuron for even numbers would be compared with neurons for even
numbers. So phases are drawn anew and the power is that of the best surface without structure.
"""

from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
from jaxtyping import Complex, Float, Int

from pipeline_lib.heuristics.calibration.evidence import FLAT, Evidence

SHORTEST, LONGEST = 0.5, 256.0
"""Length scales (operand units): the standard deviation of the Gaussian that smooths the noise."""
PER_OCTAVE = 2
BINS = 54
"""Wavenumbers at which spectra are compared, evenly spaced on a logarithmic scale."""
DESIGN_DRAWS = 12
ITERATIONS = 300

Values = Float[np.ndarray, " prompt"]
Fields = Float[np.ndarray, "draw prompt"]
Spectra = Float[np.ndarray, "map bin"]
Noise = Complex[np.ndarray, "draw row frequency"]


@dataclass(frozen=True)
class Surrogates:
    """Draws surrogates of maps over the prompts of one operator."""

    evidence: Evidence
    side: tuple[int, int]
    """Shape of the torus on which fields are drawn, half as wide again as the grid."""
    bins: Int[np.ndarray, "row frequency"]
    """Bin of each wavenumber."""
    modes: Float[np.ndarray, " bin"]
    """Number of waves of each bin."""
    power: Float[np.ndarray, "scale row frequency"]
    """Spectrum of each length scale, for variance 1."""
    design: Float[np.ndarray, "bin scale"]
    """Spectrum that each length scale has on the prompts, once freed of its trend."""

    @classmethod
    def of(cls, evidence: Evidence, rng: np.random.Generator) -> "Surrogates":
        """Surrogates for the prompts of ``evidence``; ``rng`` measures its trend's share."""
        shape = evidence.grid.shape
        side = (_fast_length(3 * shape[0] // 2), _fast_length(3 * shape[1] // 2))
        rows, columns = np.fft.fftfreq(side[0]), np.fft.rfftfreq(side[1])
        wavenumber = np.hypot(rows[:, None], columns[None, :])
        both_halves = np.where((columns == 0) | (columns == 0.5), 1.0, 2.0)
        weight = np.broadcast_to(both_halves, wavenumber.shape)
        lowest = 1.0 / max(side)
        edges = np.geomspace(lowest, wavenumber.max() * 1.001, BINS)
        bins = np.digitize(wavenumber, edges)
        power = np.exp(-4 * (np.pi * scales()[:, None, None] * wavenumber) ** 2)
        power *= np.prod(side) / (power * weight).sum(axis=(1, 2), keepdims=True)
        modes = np.bincount(bins.ravel(), weight.ravel(), BINS + 1)
        empty = cls(evidence, side, bins, modes, power, np.zeros((BINS + 1, len(power))))
        noise = empty.noise(DESIGN_DRAWS, rng)
        columns_of = [
            empty.spectra(empty.fields(noise, share)).mean(axis=0) for share in np.eye(len(power))
        ]
        return cls(evidence, side, bins, modes, power, np.stack(columns_of, axis=1))

    def noise(self, n: int, rng: np.random.Generator) -> Noise:
        """White noise on the torus, as waves; one set serves many maps."""
        return np.fft.rfft2(rng.standard_normal((n, *self.side), dtype=np.float32))

    def fields(self, noise: Noise, shares: Float[np.ndarray, " scale"]) -> Fields:
        """Random surfaces that hold each length scale with this variance."""
        gain = np.sqrt(np.tensordot(shares, self.power, 1)).astype(np.float32)
        rows, columns = self.evidence.grid.shape
        fields = np.fft.irfft2(noise * gain, s=self.side)[:, :rows, :columns]
        return fields.reshape(len(noise), -1)[:, self.evidence.grid.place]

    def spectra(self, maps: Fields) -> Spectra:
        """Mean power of the waves of each bin, of maps freed of their trend."""
        pictures = self.evidence.grid.pictures(self.evidence.residuals(maps))
        power = np.abs(np.fft.rfft2(pictures, s=self.side)) ** 2
        power[:, :, 1 : (self.side[1] + 1) // 2] *= 2.0
        total = [np.bincount(self.bins.ravel(), each.ravel(), BINS + 1) for each in power]
        return np.array(total) / np.maximum(self.modes, 1.0)

    def shares(self, spectrum: Float[np.ndarray, " bin"]) -> Float[np.ndarray, " scale"]:
        """Variance of each length scale that explains a spectrum best.

        Maximum of Whittle's likelihood (every wave's power is exponentially distributed), by
        multiplicative updates, which keep the variances positive.
        """
        left = self.design.sum(axis=0)
        seen = left > FLAT * left.max()  # of the longest ones the trend takes all
        design, filled = self.design[:, seen], self.modes > 0
        design, modes, power = design[filled], self.modes[filled], spectrum[filled]
        shares = np.full(design.shape[1], power.mean() / design.mean())
        for _ in range(ITERATIONS):
            expected = design @ shares
            excess = design.T @ (modes * power / expected**2)
            shares *= np.sqrt(excess / (design.T @ (modes / expected)))
        found = np.zeros(len(seen))
        found[seen] = shares
        return found

    def draw(self, values: Values, noise: Noise) -> Fields:
        """One surrogate of a map freed of its trend for every draw of the noise.

        The spectrum is that of the map with normally distributed values in the same order, as the
        noise has them; the map's own values come last (amplitude adjustment, Theiler et al. 1992).
        """
        normal = with_values(values[None], self.normal)
        shares = self.shares(self.spectra(normal)[0])
        return with_values(self.fields(noise, shares), values)

    @cached_property
    def normal(self) -> Values:
        """Quantiles of the normal distribution, as many as there are prompts."""
        n, standard = len(self.evidence.grid.place), NormalDist()
        return np.array([standard.inv_cdf((i + 0.5) / n) for i in range(n)], dtype=np.float32)


def scales() -> Float[np.ndarray, " scale"]:
    """Length scales of the noise that surrogates are made of; 0 is white noise."""
    octaves = np.log2(LONGEST / SHORTEST)
    smooth = SHORTEST * 2 ** (np.arange(int(PER_OCTAVE * octaves) + 1) / PER_OCTAVE)
    return np.concatenate([[0.0], smooth])


def with_values(fields: Fields, values: Values) -> Fields:
    """The given values in the order of each field: the largest where the field is largest."""
    found = np.empty_like(fields)
    ordered = np.sort(values)
    for row, field in enumerate(fields):
        found[row, np.argsort(field)] = ordered
    return found


def _fast_length(n: int) -> int:
    """Smallest length from ``n`` on without prime factors above 5."""
    while True:
        rest = n
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return n
        n += 1
