"""Regions of a pair's tokens, which align pairs of different words; no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

REGIONS = ("before", "entity", "differing", "after", "last")
"""Each token swept is in one: the last token of the prompt; else a token before the first that
differs between the runs (whose patches change nothing); else one that differs; else a token of the
entity; else one after the first that differs."""


@dataclass(frozen=True)
class Token:
    """A token of the base and the one of the source as far from the end (``place`` < 0)."""

    place: int
    source: str
    base: str
    is_same: bool
    is_entity: bool


def regions_of(tokens: Sequence[Token]) -> list[str]:
    """Region of each token of a pair, which are in their order."""
    differs = [not token.is_same for token in tokens]
    first = differs.index(True) if any(differs) else len(tokens)
    return [_region(token, is_before=i < first) for i, token in enumerate(tokens)]


def _region(token: Token, *, is_before: bool) -> str:
    if token.place == -1:
        return "last"
    if is_before:
        return "before"
    if not token.is_same:
        return "differing"
    return "entity" if token.is_entity else "after"


def by_region(
    values: Float64[np.ndarray, "pair layer component token"],
    regions: Sequence[Sequence[str]],
) -> Float64[np.ndarray, "pair region layer component"]:
    """Mean over the tokens of each region of each pair; NaN where a pair has none.

    ``regions`` names each token's region, "" where the pair has no such token.
    """
    shape = (len(values), len(REGIONS), *values.shape[1:3])
    found = np.full(shape, np.nan)
    for pair, names in enumerate(regions):
        for place, region in enumerate(REGIONS):
            chosen = [token for token, name in enumerate(names) if name == region]
            if chosen:
                found[pair, place] = values[pair][..., chosen].mean(axis=-1)
    return found
