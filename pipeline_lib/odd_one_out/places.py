"""Where pairs are patched: the swapped name, the names that stay, the query; and with what."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pipeline_lib.interventions import Activations, capture
from pipeline_lib.interventions.hooks import Site
from pipeline_lib.models.loading import LanguageModel
from pipeline_lib.odd_one_out.pairs import PairSet
from pipeline_lib.stimuli.odd_one_out import BETWEEN

Replacement = Literal["zero", "mean", "resample"]
PLACES = ("swapped", "kept", "query")
"""The swapped name, the other names of the question, the last token."""


def places_of(pairs: PairSet) -> list[list[list[int]]]:
    """Positions of `PLACES` in each clean prompt; an absent place is empty."""
    found = []
    for number, prompt in enumerate(pairs.clean):
        first, last = pairs.spans[number]
        names = [name for name in str(pairs.table["kept"][number]).split(BETWEEN) if name]
        kept = [prompt.spans(name)[-1] for name in names if name != "nan"]
        others = sorted({i for a, b in kept for i in range(a, b + 1)})
        found.append([list(range(first, last + 1)), others, [len(prompt) - 1]])
    return found


def capture_group(
    model: LanguageModel, group: PairSet, which: str, sites: Sequence[Site]
) -> Activations:
    """All layers and positions of a group's "clean" or "corrupt" prompts."""
    return capture(model, group.tokens(which), sites, keep_logits=False)


class Pools:
    """Values at the places of many prompts of any length, aligned from each place's end."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.pieces: list[list[Float[Tensor, "pos layer *width"]]] = [[] for _ in PLACES]

    def add(self, run: Activations, places: list[list[list[int]]]) -> None:
        """Keep what a group's prompts have at their places."""
        values = run.site(self.site)
        for row, prompt in enumerate(places):
            for pool, positions in zip(self.pieces, prompt, strict=True):
                pool.append(values[row, positions])

    def filling(
        self, place: int, number: int, by: Replacement, order: Sequence[int]
    ) -> Float[Tensor, "pos layer *width"]:
        """What replaces one prompt's values at a place.

        ``mean`` is the mean over prompts of the values as far from the place's end, ``resample``
        those of the next prompt in ``order`` whose place is as long (NaN where there is none).
        """
        own = self.pieces[place][number]
        if by == "zero" or not len(own):
            return torch.zeros_like(own)
        if by == "mean":
            rows = [
                torch.stack([p[-k] for p in self.pieces[place] if len(p) >= k]).mean(0)
                for k in range(len(own), 0, -1)
            ]
            return torch.stack(rows)
        at = list(order).index(number)
        for other in [*order[at + 1 :], *order[:at]]:
            if len(self.pieces[place][other]) == len(own):
                return self.pieces[place][other]
        return torch.full_like(own, torch.nan)


def replaced_at(
    run: Activations,
    pools: dict[Site, Pools],
    places: list[list[list[int]]],
    numbers: Sequence[int],
    by: Replacement,
    order: Sequence[int],
) -> tuple[Activations, np.ndarray]:
    """A group's activations with the values of all its places replaced; which (prompt, place) are.

    ``numbers`` are the group's prompts among all of the pools.
    """
    changed: dict[str, Any] = {name: run.site(name).clone() for name in pools}
    is_there = np.ones((len(places), len(PLACES)), dtype=bool)
    for site, pool in pools.items():
        for row, prompt in enumerate(places):
            for place, positions in enumerate(prompt):
                values = pool.filling(place, numbers[row], by, order)
                if not bool(torch.isfinite(values).all()):
                    is_there[row, place] = False
                    continue
                if positions:
                    changed[site][row, positions] = values
    return replace(run, **changed), is_there
