"""Knockout by heuristic: silence its neurons, look at its prompts and at others."""

import numpy as np
import pandas as pd
from jaxtyping import Bool

from pipeline_lib.heuristics.types import Heuristic
from pipeline_lib.knockouts.ablation import NO_NEURONS, IsCorrect

COLUMNS = [
    "heuristic",
    "label",
    "n_neurons",
    "n_associated",
    "n_other",
    "baseline_associated",
    "associated",
    "baseline_other",
    "other",
]


def neurons_by_heuristic(matches: pd.DataFrame) -> dict[Heuristic, np.ndarray]:
    """Neurons (int [neuron, 2]: layer, neuron) of every heuristic in a match table of one kind."""
    return {
        Heuristic.from_name(str(name)): rows[["layer", "neuron"]].to_numpy(dtype=np.int64)
        for name, rows in matches.groupby("heuristic", sort=True)
    }


def sample_prompts(
    member: Bool[np.ndarray, " prompt"], n_prompts: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of up to ``n_prompts`` associated prompts, and of as many that are not associated."""
    inside, outside = np.flatnonzero(member), np.flatnonzero(~member)
    associated = rng.permutation(inside)[:n_prompts]
    return associated, rng.permutation(outside)[: len(associated)]


def knock_out_heuristics(
    heuristics: dict[Heuristic, np.ndarray],
    correct: pd.DataFrame,
    is_correct: IsCorrect,
    *,
    min_neurons: int,
    n_prompts: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Accuracy on associated and on other prompts after silencing each heuristic's neurons.

    ``heuristics`` maps each to its neurons (int [neuron, 2]: layer, neuron); those with fewer than
    ``min_neurons`` are left out, as are those with no prompt on one of the two sides. ``correct``
    holds prompts the intact model answers right; the baselines are measured on the same prompts
    all the same. Source: paper, figure 7; definitions 8. One row per heuristic (`COLUMNS`).
    """
    trials = []
    for heuristic, neurons in heuristics.items():
        if len(neurons) < min_neurons:
            continue
        associated, other = sample_prompts(heuristic.members(correct), n_prompts, rng)
        if len(associated) and len(other):
            trials.append((heuristic, neurons, associated, other))
    if not trials:
        return pd.DataFrame(columns=COLUMNS)
    # all rows at once, so that prompts which several heuristics share run once without ablation
    chosen = [np.concatenate([associated, other]) for *_, associated, other in trials]
    sets = [s for (_, n, *_), rows in zip(trials, chosen, strict=True) for s in [n] * len(rows)]
    where = np.concatenate(chosen)
    answered = is_correct(
        correct.iloc[np.concatenate([where, where])], [NO_NEURONS] * len(where) + sets
    )
    ends = np.cumsum([len(rows) for rows in chosen])[:-1]
    intact, ablated = (np.split(half, ends) for half in np.split(answered, 2))
    return pd.DataFrame(
        [_row(*trial, *means) for trial, *means in zip(trials, intact, ablated, strict=True)],
        columns=COLUMNS,
    )


def _row(
    heuristic: Heuristic,
    neurons: np.ndarray,
    associated: np.ndarray,
    other: np.ndarray,
    intact: Bool[np.ndarray, " prompt"],
    ablated: Bool[np.ndarray, " prompt"],
) -> tuple[object, ...]:
    """One heuristic's line of the table; its associated prompts come first."""
    side = np.arange(len(intact)) < len(associated)
    means = (intact[side], ablated[side], intact[~side], ablated[~side])
    counts = (len(neurons), len(associated), len(other))
    return heuristic.name, heuristic.label, *counts, *(float(values.mean()) for values in means)
