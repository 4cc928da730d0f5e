"""Knockout by heuristic: silence its neurons, look at its prompts and at others."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool

from pipeline_lib.heuristics.types import Heuristic
from pipeline_lib.knockouts.ablation import NO_NEURONS, IsCorrect, Kind
from pipeline_lib.knockouts.matched import SET_COLUMNS, Pool

COLUMNS = [
    "heuristic",
    "label",
    "ablation",
    "condition",
    "draw",
    *SET_COLUMNS,
    "n_associated",
    "n_other",
    "baseline_associated",
    "associated",
    "baseline_other",
    "other",
]


@dataclass(frozen=True)
class Trial:
    """A heuristic, rows of prompts it is true of and of others, and the sets silenced in them.

    The first set is empty, the second its own neurons, the others random ones that match them.
    """

    heuristic: Heuristic
    associated: np.ndarray
    other: np.ndarray
    sets: list[np.ndarray]

    @property
    def rows(self) -> np.ndarray:
        """Rows of all its prompts, the associated ones first."""
        return np.concatenate([self.associated, self.other])


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
    answers: Mapping[Kind, IsCorrect],
    pool: Pool,
    *,
    min_neurons: int,
    n_prompts: int,
    n_draws: int,
    rng: np.random.Generator,
    control_rng: np.random.Generator,
) -> pd.DataFrame:
    """Accuracy on associated and on other prompts after silencing each heuristic's neurons.

    ``heuristics`` maps each to its neurons (int [neuron, 2]: layer, neuron); those with fewer than
    ``min_neurons`` are left out, as are those with no prompt on one of the two sides. ``correct``
    holds prompts the intact model answers right; the baselines are measured on the same prompts
    all the same. Condition "heuristic" silences its own neurons, "matched" each of ``n_draws``
    random sets of the ``pool`` with as many neurons of like norm per layer (`Pool.draw`), in the
    same prompts, under each kind of ablation. Source: paper,
    figure 7; definitions 8. One row per (heuristic, ablation, set) with `COLUMNS`.
    """
    trials = []
    for heuristic, neurons in heuristics.items():
        if len(neurons) < min_neurons:
            continue
        prompts = sample_prompts(heuristic.members(correct), n_prompts, rng)
        if all(map(len, prompts)):
            drawn = [pool.draw(neurons, NO_NEURONS, control_rng) for _ in range(n_draws)]
            trials.append(Trial(heuristic, *prompts, [NO_NEURONS, neurons, *drawn]))
    if not trials:
        return pd.DataFrame(columns=COLUMNS)
    rows: list[tuple[object, ...]] = []
    for kind, is_correct in answers.items():
        answered = _answered(trials, correct, is_correct)
        for trial, right in zip(trials, answered, strict=True):
            rows += _rows(trial, kind, right, pool)
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values("heuristic", kind="stable", ignore_index=True)


def _answered(
    trials: list[Trial], correct: pd.DataFrame, is_correct: IsCorrect
) -> list[Bool[np.ndarray, "set prompt"]]:
    """Of every trial, which of its prompts are answered right under each of its sets."""
    # all rows at once, so that prompts which several sets share run once without ablation
    where = np.concatenate([np.tile(trial.rows, len(trial.sets)) for trial in trials])
    silenced = [chosen for trial in trials for chosen in trial.sets for _ in trial.rows]
    answered = is_correct(correct.iloc[where], silenced)
    ends = np.cumsum([len(trial.sets) * len(trial.rows) for trial in trials])[:-1]
    parts = np.split(answered, ends)
    return [part.reshape(len(t.sets), -1) for part, t in zip(parts, trials, strict=True)]


def _rows(
    trial: Trial, kind: Kind, answered: Bool[np.ndarray, "set prompt"], pool: Pool
) -> list[tuple[object, ...]]:
    """One heuristic's lines of the table under one kind of ablation, its own neurons first."""
    n, heuristic, intact = len(trial.associated), trial.heuristic, answered[0]
    lines = []
    for draw, (neurons, after) in enumerate(zip(trial.sets[1:], answered[1:], strict=True)):
        condition = "matched" if draw else "heuristic"
        name = (heuristic.name, heuristic.label, kind, condition, draw)
        counts = (*pool.describe(neurons), n, len(trial.other))
        halves = (intact[:n], after[:n], intact[n:], after[n:])
        lines.append((*name, *counts, *(float(half.mean()) for half in halves)))
    return lines
