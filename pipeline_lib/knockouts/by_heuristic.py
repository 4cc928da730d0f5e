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
    rows = []
    for heuristic, neurons in heuristics.items():
        if len(neurons) < min_neurons:
            continue
        associated, other = sample_prompts(heuristic.members(correct), n_prompts, rng)
        if not len(associated) or not len(other):
            continue
        chosen = correct.iloc[np.concatenate([associated, other])]
        side = np.arange(len(chosen)) < len(associated)
        intact = is_correct(chosen, [NO_NEURONS] * len(chosen))
        ablated = is_correct(chosen, [neurons] * len(chosen))
        means = (intact[side], ablated[side], intact[~side], ablated[~side])
        rows.append(
            (
                *(heuristic.name, heuristic.label, len(neurons), len(associated), len(other)),
                *(float(values.mean()) for values in means),
            )
        )
    return pd.DataFrame(rows, columns=COLUMNS)
