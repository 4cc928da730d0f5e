"""Precision and recall of what is found, against what was planted."""

from collections.abc import Hashable, Set
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from pipeline_lib.heuristics.types import Heuristic
from pipeline_lib.stats import wilson_interval

COUNTS = ["n_planted", "n_found", "n_right"]


@dataclass(frozen=True)
class Tally:
    """How many things were planted, how many were found, and how many of these are right."""

    n_planted: int
    n_found: int
    n_right: int

    def row(self, **labels: str) -> dict[str, str | int]:
        """The counts with their labels, as a row of a table."""
        return {**labels, **asdict(self)}


def tally(found: Set[Hashable], planted: Set[Hashable]) -> Tally:
    """Counts of two sets of the same kind of things."""
    return Tally(len(planted), len(found), len(found & planted))


def tally_pairs(matches: pd.DataFrame, planted: pd.DataFrame, prompts: pd.DataFrame) -> Tally:
    """Pairs (neuron, heuristic) of a match table against the planted ones.

    Heuristics that are true of the same prompts (columns a, b, answer) are one heuristic: what
    tells them apart lies outside these prompts. So is a match from the bottom (column side): "low
    where b >= 10" says the same as "high where b < 10".
    """
    return tally(_pairs(matches, prompts), _pairs(planted, prompts))


def tally_neurons(matches: pd.DataFrame, planted: pd.DataFrame) -> Tally:
    """Neurons that match any heuristic against the planted ones."""
    return tally(set(matches["neuron"].tolist()), set(planted["neuron"].tolist()))


def precision_recall(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Counts added up within the groups ``by``, precision and recall with 95 % Wilson intervals.

    Precision is NaN where nothing was found, recall where nothing was planted.
    """
    summed = table.groupby(by, sort=False, as_index=False)[COUNTS].sum()
    right = summed["n_right"].to_numpy(dtype=np.float64)
    for name, whole in (("precision", "n_found"), ("recall", "n_planted")):
        n = summed[whole].to_numpy(dtype=np.int64)
        share = np.divide(right, n, out=np.full(len(n), np.nan), where=n > 0)
        low, high = wilson_interval(share, np.maximum(n, 1))
        summed[name], summed[f"{name}_low"], summed[f"{name}_high"] = share, low, high
    return summed


def _pairs(table: pd.DataFrame, prompts: pd.DataFrame) -> set[tuple[int, bytes]]:
    names = table["heuristic"].unique().tolist()
    members = {name: Heuristic.from_name(name).members(prompts) for name in names}
    sides = table["side"] if "side" in table else ["top"] * len(table)
    high = {
        (name, side): (members[name] if side == "top" else ~members[name]).tobytes()
        for name, side in set(zip(table["heuristic"], sides, strict=True))
    }
    rows = zip(table["neuron"].tolist(), table["heuristic"], sides, strict=True)
    return {(neuron, high[name, side]) for neuron, name, side in rows}
