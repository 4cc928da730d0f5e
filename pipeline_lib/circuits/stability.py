"""Would other prompts have given the same circuit: overlap of the top units of resampled data."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from jaxtyping import Bool, Float, Int

from pipeline_lib.neurons.importance import ImportanceRule
from pipeline_lib.stats import nested_weights

Tops = Bool[np.ndarray, "resample unit"]


@dataclass(frozen=True)
class Overlaps:
    """Intersections of top sets of one group of units, and the group's sizes; groups add up.

    ``full``: of each resample's set with that of all data; ``pairs``: of two resamples.
    """

    full: Int[np.ndarray, " resample"]
    pairs: Int[np.ndarray, " pair"]
    groups: tuple[tuple[int, int], ...]
    """Units and size of the top set, of every group."""

    def __add__(self, other: "Overlaps") -> "Overlaps":
        pairs, groups = self.pairs + other.pairs, self.groups + other.groups
        return Overlaps(self.full + other.full, pairs, groups)

    @property
    def size(self) -> int:
        """Units of the whole set."""
        return sum(k for _, k in self.groups)

    def jaccard(
        self,
    ) -> tuple[Float[np.ndarray, " resample"], Float[np.ndarray, " pair"]]:
        """Intersection over union of ``full`` and of ``pairs``; NaN for empty sets."""
        return _jaccard(self.full, self.size), _jaccard(self.pairs, self.size)


def top_overlaps(
    effects: Float[np.ndarray, "seed prompt unit"],
    k: int,
    rule: ImportanceRule,
    rng: np.random.Generator,
    n: int = 500,
) -> Overlaps:
    """Overlaps of the k most important units, over ``n`` resamples of seeds and prompts.

    Importance as `importance` has it, the deviation without its correction for small samples, which
    ranks alike. Values that are not finite count as 0.
    """
    values = np.where(np.isfinite(effects), effects, 0.0).reshape(-1, effects.shape[-1])
    weights = nested_weights(effects.shape[0], effects.shape[1], rng, n).reshape(n, -1)
    all_data = np.full((1, len(values)), 1 / len(values))
    full = _top(_important(all_data, values, rule), k)
    tops = _top(_important(weights, values, rule), k)
    pairs = (tops[: n // 2] & tops[n // 2 : 2 * (n // 2)]).sum(axis=1)
    return Overlaps((tops & full).sum(axis=1), pairs, ((values.shape[1], k),))


def _important(
    weights: Float[np.ndarray, "resample row"],
    values: Float[np.ndarray, "row unit"],
    rule: ImportanceRule,
) -> Float[np.ndarray, "resample unit"]:
    mean = weights @ values
    if rule == "mean":
        return mean
    return np.asarray(mean + np.sqrt(np.maximum(weights @ values**2 - mean**2, 0.0)))


def _top(values: Float[np.ndarray, "resample unit"], k: int) -> Tops:
    """The k largest of every row; ties go to the first."""
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    top = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(top, order, True, axis=1)
    return top


def _jaccard(shared: Int[np.ndarray, " set"], size: int) -> Float[np.ndarray, " set"]:
    return shared / (2 * size - shared) if size else np.full(len(shared), np.nan)


def expected_jaccard(groups: Sequence[tuple[int, int]]) -> float:
    """Mean intersection over union of two random sets, k of n units of each group (exact).

    The intersection of a group is hypergeometric; those of groups are independent. NaN for empty
    sets.
    """
    size = sum(k for _, k in groups)
    if not size:
        return float("nan")
    shares = np.ones(1)
    for n, k in groups:
        ways = [comb(k, i) * comb(n - k, k - i) / comb(n, k) for i in range(k + 1)]
        shares = np.convolve(shares, ways)
    return float(shares @ _jaccard(np.arange(len(shares)), size))
