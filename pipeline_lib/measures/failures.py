"""Failure modes: what the associated neurons add to right and to wrong answers (definitions 9)."""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from pipeline_lib.stats import permutation_p_value

LABELS = ("correct", "incorrect")
QUANTITIES = ("logit", "n_neurons")
COLUMNS = ["operator", "a", "b", "answer", "predicted", "label", *QUANTITIES]
TEST_COLUMNS = [
    "quantity", "n_correct", "n_incorrect", "mean_correct", "mean_incorrect", "difference",
    "p_value",
]  # fmt: skip


def draw_cases(labelled: pd.DataFrame, n_each: int, rng: np.random.Generator) -> pd.DataFrame:
    """Up to ``n_each`` correct prompts and as many incorrect ones, drawn without replacement.

    Completions that are no number are neither (definitions 1).
    """
    drawn = []
    for label in LABELS:
        rows = labelled[labelled["label"] == label]
        drawn.append(rows.iloc[rng.permutation(len(rows))[:n_each]])
    return pd.concat(drawn, ignore_index=True)


def associated_neurons(
    matches: pd.DataFrame, member: Bool[np.ndarray, "match prompt"], neurons: pd.DataFrame
) -> Bool[np.ndarray, "neuron prompt"]:
    """Which neurons have a match whose heuristic the prompt satisfies.

    ``member`` says it of every row of ``matches``; ``neurons`` are rows of layer, neuron.
    """
    keys = zip(neurons["layer"].tolist(), neurons["neuron"].tolist(), strict=True)
    row_of = {key: row for row, key in enumerate(keys)}
    found = np.zeros((len(neurons), member.shape[1]), dtype=bool)
    pairs = zip(matches["layer"].tolist(), matches["neuron"].tolist(), strict=True)
    rows = np.array([row_of[pair] for pair in pairs], dtype=np.int64)
    np.logical_or.at(found, rows, member)
    return found


def tabulate_failures(
    cases: pd.DataFrame,
    associated: Bool[np.ndarray, "neuron prompt"],
    k: Float[np.ndarray, "neuron prompt"],
    value_logits: Float[np.ndarray, "neuron number"],
) -> pd.DataFrame:
    """One row a prompt: its associated neurons and what they add to the RIGHT answer (`COLUMNS`).

    logit is the sum over associated neurons of the KV value, activation times value logit of the
    correct answer, whatever the model wrote.
    """
    kv = k.astype(np.float64) * value_logits[:, cases["answer"].to_numpy(dtype=np.int64)]
    return cases.assign(
        logit=np.where(associated, kv, 0.0).sum(axis=0), n_neurons=associated.sum(axis=0)
    )[COLUMNS]


def compare_failures(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Correct against incorrect prompts of one operator, a row a quantity (`TEST_COLUMNS`).

    difference is correct minus incorrect; p_value a two-sided permutation test of it. Means and
    test are NaN where there are no such prompts.
    """
    rows = []
    for quantity in QUANTITIES:
        right, wrong = (
            table.loc[table["label"] == label, quantity].to_numpy(dtype=np.float64)
            for label in LABELS
        )
        means = [values.mean() if len(values) else np.nan for values in (right, wrong)]
        p_value = permutation_p_value(right, wrong, rng)
        rows.append((quantity, len(right), len(wrong), *means, means[0] - means[1], p_value))
    return pd.DataFrame(rows, columns=TEST_COLUMNS)
