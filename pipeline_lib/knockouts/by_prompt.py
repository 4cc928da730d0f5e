"""Knockout by prompt: silence the neurons of the heuristics one prompt satisfies, more and more."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool

from pipeline_lib.knockouts.ablation import IsCorrect

RankRule = Literal["score", "count"]
COLUMNS = ["a", "b", "answer", "condition", "limit", "n_neurons", "correct"]


def ranked_neurons(
    matches: pd.DataFrame, satisfied: Bool[np.ndarray, " match"], rule: RankRule
) -> np.ndarray:
    """Neurons of the satisfied matches as rows (layer, neuron), the strongest first.

    ``rule`` "score" ranks by the neuron's best satisfied score (paper), "count" by the number of
    satisfied heuristics (the authors' code); ties go to the lower layer and neuron index.
    """
    grouped = matches[satisfied].groupby(["layer", "neuron"], sort=True)["score"]
    strength = grouped.max() if rule == "score" else grouped.size()
    order = np.argsort(-strength.to_numpy(dtype=np.float64), kind="stable")
    return np.array(strength.index.to_list(), dtype=np.int64).reshape(-1, 2)[order]


def first_per_layer(ranked: np.ndarray, limit: int) -> np.ndarray:
    """The first ``limit`` rows of every layer, in their order."""
    place = pd.Series(ranked[:, 0]).groupby(ranked[:, 0]).cumcount().to_numpy()
    return ranked[place < limit]


def control_neurons(pool: np.ndarray, knocked: np.ndarray) -> np.ndarray:
    """As many rows of ``pool`` in every layer as ``knocked`` has there, in the pool's order."""
    kept = [
        pool[pool[:, 0] == layer][:count]
        for layer, count in zip(*np.unique(knocked[:, 0], return_counts=True), strict=True)
    ]
    return np.concatenate(kept) if kept else knocked


def knock_out_prompts(
    matches: pd.DataFrame,
    member: Bool[np.ndarray, "match prompt"],
    top_neurons: pd.DataFrame,
    prompts: pd.DataFrame,
    is_correct: IsCorrect,
    *,
    limits: Sequence[int],
    rank: RankRule,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Correctness of each prompt after silencing up to ``limit`` neurons in each layer.

    ``matches`` has one row per (neuron, heuristic), ``member`` says which prompts satisfy its
    heuristic, ``top_neurons`` are all analysed neurons. Condition "heuristic" silences the
    neurons of satisfied heuristics, "control" the same number per layer of top neurons with no
    satisfied heuristic (as many as exist: ``n_neurons`` tells). Source: paper, figure 8;
    definitions 8. One row per (prompt, condition, limit) with `COLUMNS`.
    """
    everyone = top_neurons[["layer", "neuron"]].to_numpy(dtype=np.int64)
    rows: list[tuple[int, str, int]] = []
    sets: list[np.ndarray] = []
    for index in range(len(prompts)):
        ranked = ranked_neurons(matches, member[:, index], rank)
        associated = {tuple(pair) for pair in ranked.tolist()}
        free = np.array([tuple(pair) not in associated for pair in everyone.tolist()], dtype=bool)
        pool = rng.permutation(everyone[free])
        for limit in limits:
            knocked = first_per_layer(ranked, limit)
            for condition, chosen in (
                ("heuristic", knocked),
                ("control", control_neurons(pool, knocked)),
            ):
                rows.append((index, condition, limit))
                sets.append(chosen)
    table = prompts.iloc[[index for index, _, _ in rows]][["a", "b", "answer"]]
    table = table.reset_index(drop=True)
    table["condition"] = [condition for _, condition, _ in rows]
    table["limit"] = [limit for _, _, limit in rows]
    table["n_neurons"] = [len(chosen) for chosen in sets]
    operators = prompts["operator"].iloc[[index for index, _, _ in rows]].to_numpy()
    table["correct"] = is_correct(table.assign(operator=operators), sets)
    return table[COLUMNS]
