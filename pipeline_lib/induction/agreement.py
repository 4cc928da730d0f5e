"""Does taking away drift agree with the induction score, head by head (part 5)."""

import numpy as np
import pandas as pd

from pipeline_lib.induction.heads import of_score
from pipeline_lib.induction.kinds import KINDS
from pipeline_lib.rng import generator
from pipeline_lib.stats import rank_correlation_test

AGREEMENT_COLUMNS = ["kind", "effect", "score", "layers", "rho", "low", "high", "p", "heads"]
EFFECTS = {"effect": "mean over pairs", "of_symbols": "first pair"}
LAYERS = ("all", "last")
"""Heads of all layers; of the last alone, where induction heads of two-layer models are."""


def agreement(sweep: pd.DataFrame, scores: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Rank correlation over heads of drift reduction and each score (`AGREEMENT_COLUMNS`).

    ``low`` and ``high`` are a 95 % bootstrap interval over heads, ``p`` of permuted heads, both
    sides. The previous-token score stands beside the induction score, as what it builds on.
    """
    rows = []
    last = int(scores["layer"].max())
    for kind in KINDS:
        drifts = sweep[(sweep["kind"] == kind) & (sweep["measure"] == "drift")]
        head = drifts["component"].str.removeprefix("head_").astype(int)
        drifts = drifts.assign(head=head).sort_values(["layer", "head"])
        for column, effect in EFFECTS.items():
            for score in ("induction", "previous"):
                for layers in LAYERS:
                    kept = np.ones(len(drifts), bool)
                    if layers == "last":
                        kept = (drifts["layer"] == last).to_numpy()
                    rng = generator(seed, "agreement", kind, column, score, layers)
                    found = rank_correlation_test(
                        drifts[column].to_numpy(np.float64)[kept],
                        of_score(scores, score)[kept],
                        rng,
                    )
                    rows.append((kind, effect, score, layers, *found, int(kept.sum())))
    return pd.DataFrame(rows, columns=AGREEMENT_COLUMNS)
