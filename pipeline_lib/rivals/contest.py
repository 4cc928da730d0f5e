"""Heuristics against Fourier modes: how much of each neuron's map a few of either explain.

Both rivals choose from hundreds of candidates, so what they explain is measured on prompts that
neither the choice nor the fit has seen: chosen and fitted on one random half, tested on the other,
then the other way round (definitions 15).
"""

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from pipeline_lib.rivals.candidates import Candidates, start_columns
from pipeline_lib.rivals.columns import Columns, Written
from pipeline_lib.rivals.selection import forward_selection, halves, squared_errors

RIVALS = ("heuristics", "modes")
STARTS = ("constant", "trend")
EXPLAINED_COLUMNS = ["layer", "neuron", "start", "rival", "terms", "explained"]
CHOSEN_COLUMNS = ["layer", "neuron", "start", "rival", "place", "name", "label"]
Maps = Float[np.ndarray, "neuron prompt"]
Start = Float[np.ndarray, "prompt start"]
Choices = dict[str, list[list[int]]]
"""Of each rival, for every neuron, its candidates in the order in which they were chosen."""


def contest(
    maps: Maps,
    prompts: pd.DataFrame,
    neurons: pd.DataFrame,
    rivals: dict[str, Candidates],
    *,
    n_modes: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What each rival explains of every map on unseen prompts, and the candidates it chooses.

    ``rivals`` has the candidates of `RIVALS`. The first table (`EXPLAINED_COLUMNS`) has the share
    of each map's variance for all of `fits`; NaN for a map without variance. The second
    (`CHOSEN_COLUMNS`) names what each rival chooses on all prompts.
    """
    maps = _centred(maps)
    one, other = halves(len(prompts), rng)
    total = _squares(maps[:, one]) + _squares(maps[:, other])
    explained, chosen = [], []
    for name in STARTS:
        start = start_columns(prompts, trend=name == "trend")
        errors = np.zeros((len(maps), len(fits(n_modes))))
        for fit, test in ((one, other), (other, one)):
            choices = choose(rivals, start, maps, fit, n_modes)
            errors += _errors(choices, rivals, start, maps, (fit, test), n_modes)
        explained.append(_explained_table(neurons, errors, total, n_modes).assign(start=name))
        final = choose(rivals, start, maps, np.arange(len(prompts)), n_modes)
        chosen.append(_chosen_table(neurons, final, rivals).assign(start=name))
    return (
        pd.concat(explained, ignore_index=True)[EXPLAINED_COLUMNS],
        pd.concat(chosen, ignore_index=True)[CHOSEN_COLUMNS],
    )


def fits(n_modes: int) -> list[tuple[str, int]]:
    """(rival, terms) of every fit: "none" is the start alone, "both" as many terms of either.

    The last of the heuristics has as many coefficients as all modes: a mode has two.
    """
    counts = range(1, n_modes + 1)
    return [
        ("none", 0),
        *(("heuristics", count) for count in sorted({*counts, 2 * n_modes})),
        *(("modes", count) for count in counts),
        *(("both", count) for count in counts),
    ]


def choose(
    rivals: dict[str, Candidates],
    start: Start,
    maps: Maps,
    rows: Int[np.ndarray, " chosen"],
    n_modes: int,
) -> Choices:
    """The candidates of each rival that explain most of every map over the prompts ``rows``."""
    choices: Choices = {}
    for name, candidates in rivals.items():
        columns = Columns((Written(start), *candidates.columns.parts)).rows(rows)
        gram, products = columns.gram(), columns.products(maps[:, rows].T)
        choices[name] = [
            forward_selection(
                gram,
                products[:, neuron],
                n_start=start.shape[1],
                width=candidates.width,
                n_terms=2 * n_modes // candidates.width,
            )
            for neuron in range(len(maps))
        ]
    return choices


def _errors(
    choices: Choices,
    rivals: dict[str, Candidates],
    start: Start,
    maps: Maps,
    parts: tuple[Int[np.ndarray, " fit"], Int[np.ndarray, " test"]],
    n_modes: int,
) -> Float[np.ndarray, "neuron variant"]:
    """Squared errors of `fits` on the second part, fitted on the first, for every neuron."""
    errors = np.empty((len(maps), len(fits(n_modes))))
    for neuron, values in enumerate(maps):
        written, places = [start], {"none": [list(range(start.shape[1]))]}
        for name, candidates in rivals.items():
            found = candidates.columns_of(choices[name][neuron])
            first = sum(part.shape[1] for part in written)
            place = np.arange(first, first + len(found)).reshape(-1, candidates.width)
            places[name] = place.tolist()
            written += [candidates.columns.write(found)] if found else []
        subsets = [_columns_of(fit, places) for fit in fits(n_modes)]
        errors[neuron] = squared_errors(np.concatenate(written, axis=1), values, *parts, subsets)
    return errors


def _columns_of(fit: tuple[str, int], places: dict[str, list[list[int]]]) -> list[int]:
    """Columns of a fit: the start's and those of the first terms of one rival, or of each."""
    rival, terms = fit
    names = {"none": [], "both": list(RIVALS)}.get(rival, [rival])
    chosen = [column for name in names for term in places[name][:terms] for column in term]
    return [*places["none"][0], *chosen]


def _centred(maps: Maps) -> Maps:
    """Every map less its mean, in float64; one that never changes is exactly 0."""
    centred = maps.astype(np.float64) - maps.mean(axis=1, keepdims=True, dtype=np.float64)
    return np.where(np.ptp(maps, axis=1, keepdims=True) > 0, centred, 0.0)


def _squares(maps: Maps) -> Float[np.ndarray, " neuron"]:
    """Sum of squares of every map about its mean."""
    return maps.var(axis=1) * maps.shape[1] if maps.shape[1] else np.zeros(len(maps))


def _explained_table(
    neurons: pd.DataFrame,
    errors: Float[np.ndarray, "neuron variant"],
    total: Float[np.ndarray, " neuron"],
    n_modes: int,
) -> pd.DataFrame:
    total = np.where(total > 0, total, np.nan)
    share = 1 - errors / total[:, None]
    rows = neurons[["layer", "neuron"]].reset_index(drop=True)
    parts = [
        rows.assign(rival=rival, terms=terms, explained=share[:, place])
        for place, (rival, terms) in enumerate(fits(n_modes))
    ]
    return pd.concat(parts, ignore_index=True)


def _chosen_table(
    neurons: pd.DataFrame, choices: Choices, rivals: dict[str, Candidates]
) -> pd.DataFrame:
    found = [
        (layer, neuron, rival, place, rivals[rival].names[number], rivals[rival].labels[number])
        for rival, of_neurons in choices.items()
        for (layer, neuron), numbers in zip(
            neurons[["layer", "neuron"]].itertuples(index=False, name=None),
            of_neurons,
            strict=True,
        )
        for place, number in enumerate(numbers)
    ]
    return pd.DataFrame(found, columns=[c for c in CHOSEN_COLUMNS if c != "start"])
