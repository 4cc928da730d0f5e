"""The table of a sweep by region: means over pairs of raw effects and of the recovery."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64

from pipeline_lib.power.regions import REGIONS, by_region
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_ratio_interval
from pipeline_lib.sweeps.table import tabulate

RECOVERY = ["recovery", "recovery_low", "recovery_high"]


def region_names(
    tokens: pd.DataFrame, lines: Sequence[int], places: Sequence[int]
) -> list[list[str]]:
    """Region of each place of each pair, "" where it has no such token."""
    named = tokens.set_index(["line", "place"])["region"].to_dict()
    return [[named.get((line, place), "") for place in places] for line in lines]


def region_table(
    base: Float64[np.ndarray, " pair"],
    source: Float64[np.ndarray, " pair"],
    after: Float64[np.ndarray, "pair layer component token"],
    regions: Sequence[Sequence[str]],
    *,
    layers: Sequence[int],
    components: Sequence[str],
    seed: int,
) -> pd.DataFrame:
    """The sweep's table (`tabulate`), positions being regions, and the recovery with its interval.

    A pair's value in a region is the mean over its tokens there. The effect is the mean change of
    the log-ratio (nats). The recovery is the mean of each pair's (patched - base) /
    (source - base), weighted by abs(source - base): the sum of the changes toward the source over
    the sum of the whole changes, so that pairs with a small difference do not decide it.
    """
    patched = by_region(after, regions)
    effect = patched - base[:, None, None, None]
    rng = generator(seed, "power", "regions")
    table = tabulate(
        base, patched, effect, places=REGIONS, layers=layers, components=components, rng=rng
    )
    gap = source - base
    toward = effect * np.sign(gap)[:, None, None, None]
    rows = [
        _recovery(toward[:, place, layer, column], np.abs(gap), rng)
        for place in range(len(REGIONS))
        for layer in range(len(layers))
        for column in range(len(components))
    ]
    return table.assign(**dict(zip(RECOVERY, np.array(rows).reshape(-1, 3).T, strict=True)))


def _recovery(
    toward: Float64[np.ndarray, " pair"],
    gap: Float64[np.ndarray, " pair"],
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    there = np.isfinite(toward)
    if not there.any():
        return float("nan"), float("nan"), float("nan")
    low, high = bootstrap_ratio_interval(toward[there], gap[there], rng)
    return float(toward[there].sum() / gap[there].sum()), low, high
