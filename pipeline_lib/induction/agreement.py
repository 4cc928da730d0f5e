"""Does taking away drift agree with the induction score, head by head (part 5)."""

from itertools import product

import numpy as np
import pandas as pd

from pipeline_lib.induction.heads import of_score
from pipeline_lib.induction.kinds import KINDS
from pipeline_lib.rng import generator
from pipeline_lib.stats import rank_correlation_test

AGREEMENT_COLUMNS = [
    "kind", "measure", "effect", "score", "layers", "rho", "low", "high", "p", "heads",
]  # fmt: skip
MEASURES = ("drift", "logit_drift")
EFFECTS = {"mean over pairs": "effect", "first pair": "of_symbols"}
SCORES = ("induction", "previous")
LAYERS = ("all", "last")
"""Heads of all layers; of the last alone, where induction heads of two-layer models are."""


def agreement(sweep: pd.DataFrame, scores: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Rank correlation over heads of drift reduction and each score (`AGREEMENT_COLUMNS`).

    ``low`` and ``high`` are a 95 % bootstrap interval over heads, ``p`` of permuted heads, both
    sides. The previous-token score stands beside the induction score, as what it builds on.
    """
    rows = []
    for kind, measure in product(KINDS, MEASURES):
        drifts = by_head(sweep[(sweep["kind"] == kind) & (sweep["measure"] == measure)])
        is_last = (drifts["layer"] == drifts["layer"].max()).to_numpy()
        for (effect, column), score, layers in product(EFFECTS.items(), SCORES, LAYERS):
            kept = is_last if layers == "last" else np.ones(len(drifts), dtype=bool)
            taken = drifts[column].to_numpy(np.float64)[kept]
            names = (kind, measure, effect, score, layers)
            rng = generator(seed, "agreement", *names)
            found = rank_correlation_test(taken, of_score(scores, score)[kept], rng)
            rows.append((*names, *found, int(kept.sum())))
    return pd.DataFrame(rows, columns=AGREEMENT_COLUMNS)


def by_head(sweep: pd.DataFrame) -> pd.DataFrame:
    """Rows of a sweep of heads in the order of layers and heads, with the column head."""
    head = sweep["component"].str.removeprefix("head_").astype(int)
    return sweep.assign(head=head).sort_values(["layer", "head"])
