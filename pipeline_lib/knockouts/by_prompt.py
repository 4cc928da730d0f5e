"""Knockout by prompt: silence the neurons of the heuristics one prompt satisfies, more and more."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool

from pipeline_lib.knockouts.ablation import IsCorrect, Kind
from pipeline_lib.knockouts.matched import SET_COLUMNS, Pool

RankRule = Literal["score", "count"]
COLUMNS = [
    "a", "b", "answer", "ablation", "condition", "limit", *SET_COLUMNS, "correct",
]  # fmt: skip


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
    answers: Mapping[Kind, IsCorrect],
    *,
    limits: Sequence[int],
    rank: RankRule,
    rng: np.random.Generator,
    pool: Pool | None = None,
    control_rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """Correctness of each prompt after silencing up to ``limit`` neurons in each layer.

    ``matches`` has one row per (neuron, heuristic), ``member`` says which prompts satisfy its
    heuristic, ``top_neurons`` are all analysed neurons. Condition "heuristic" silences the
    neurons of satisfied heuristics, "control" the same number per layer of top neurons with no
    satisfied heuristic (as many as exist: ``n_neurons`` tells), and "matched", with a ``pool`` and
    a generator of its own, a random set of like norms (`Pool.draw`), of neurons with no satisfied
    heuristic where there are enough. Every kind of ablation silences the same
    sets. Source: paper, figure 8; definitions 8. One row per (ablation, prompt, condition, limit)
    with `COLUMNS`.
    """
    everyone = top_neurons[["layer", "neuron"]].to_numpy(dtype=np.int64)
    rows: list[tuple[int, str, int]] = []
    sets: list[np.ndarray] = []
    for index in range(len(prompts)):
        ranked = ranked_neurons(matches, member[:, index], rank)
        associated = {tuple(pair) for pair in ranked.tolist()}
        free = np.array([tuple(pair) not in associated for pair in everyone.tolist()], dtype=bool)
        others = rng.permutation(everyone[free])
        for limit in limits:
            knocked = first_per_layer(ranked, limit)
            chosen = {"heuristic": knocked, "control": control_neurons(others, knocked)}
            if pool is not None and control_rng is not None:
                chosen["matched"] = pool.draw(knocked, ranked, control_rng)
            rows += [(index, condition, limit) for condition in chosen]
            sets += chosen.values()
    asked = prompts.iloc[[index for index, _, _ in rows]].reset_index(drop=True)
    table = asked[["a", "b", "answer"]].assign(
        condition=[condition for _, condition, _ in rows], limit=[limit for _, _, limit in rows]
    )
    found = [(len(s), 0, np.nan) if pool is None else pool.describe(s) for s in sets]
    for place, name in enumerate(SET_COLUMNS):
        table[name] = [values[place] for values in found]
    parts = [
        table.assign(ablation=kind, correct=is_correct(asked, sets))
        for kind, is_correct in answers.items()
    ]
    return pd.concat(parts, ignore_index=True)[COLUMNS]
