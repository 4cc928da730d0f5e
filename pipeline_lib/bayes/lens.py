"""Part 1: P(X) read from every layer through the logit lens, against Bayes' rule."""

import numpy as np
import pandas as pd

from pipeline_lib.bayes.columns import LAYER_COLUMNS, LENS_COLUMNS
from pipeline_lib.bayes.readout import OutcomeTokens
from pipeline_lib.bayes.running import LastPosition
from pipeline_lib.bayes.task import correlation, named
from pipeline_lib.stats import bootstrap_mean_interval
from pipeline_lib.stimuli.bernoulli import BernoulliTask


def lens_table(
    task: BernoulliTask, outcomes: OutcomeTokens, prompts: pd.DataFrame, run: LastPosition
) -> pd.DataFrame:
    """P(X) of every prompt at every layer, the posterior predictive, their difference."""
    p_x = outcomes.p_x(run.logits)
    bayes = task.hypotheses.predictive(*task.counts(prompts))
    n, layers = p_x.shape
    repeated = prompts.loc[prompts.index.repeat(layers)].reset_index(drop=True)
    return repeated.assign(
        layer=np.tile(run.layers, n),
        p_x=p_x.ravel(),
        bayes=np.repeat(bayes, layers),
        error=(p_x - bayes[:, None]).ravel(),
    )[LENS_COLUMNS]


def by_layer(table: pd.DataFrame, no_evidence: float, rng: np.random.Generator) -> pd.DataFrame:
    """Mean absolute error and correlation with Bayes' rule by layer (`LAYER_COLUMNS`).

    95 % bootstrap intervals over prompts. ``no_evidence`` is the predictive before any draw, whose
    error is that of a layer that ignores the draws; ``best`` marks each template's smallest error.
    """
    rows = []
    for _, part in table.groupby(["template", "layer"], sort=False):
        p_x, bayes = (part[name].to_numpy(np.float64) for name in ("p_x", "bayes"))
        errors = np.abs(p_x - bayes)
        low, high = bootstrap_mean_interval(errors, rng)
        rows.append(
            {
                "template": part["template"].iloc[0],
                "layer": part["layer"].iloc[0],
                "prompts": len(part),
                "mae": errors.mean(),
                "low": float(low),
                "high": float(high),
                **named("correlation", correlation(p_x, bayes), p_x, bayes, rng),
                "no_evidence_mae": np.abs(no_evidence - bayes).mean(),
            }
        )
    found = pd.DataFrame(rows)
    found["best"] = found["mae"] == found.groupby("template")["mae"].transform("min")
    return found[LAYER_COLUMNS]
