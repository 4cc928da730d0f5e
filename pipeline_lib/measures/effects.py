"""Effects of an intervention on the two answers of a prompt pair, from log-probabilities."""

import numpy as np
from jaxtyping import Float, Float64

LogProbs = Float[np.ndarray, "..."] | float
Effects = Float64[np.ndarray, "..."]


def indirect_effect(
    logp_clean_r: LogProbs,
    logp_clean_cf: LogProbs,
    logp_patched_r: LogProbs,
    logp_patched_cf: LogProbs,
) -> Effects:
    """Indirect effect of a patch (the paper's eq. 1), any shapes that broadcast, no unit.

    E(r, r') = 1/2 [ (P*(r') - P(r')) / P(r')  +  (P(r) - P*(r)) / P*(r) ], with P before and P*
    after the patch, r the clean and r' the counterfactual answer. Written with log-probabilities
    as 1/2 [ expm1(log P*(r') - log P(r')) + expm1(log P(r) - log P*(r)) ], in float64: no small
    difference of probabilities is lost. Overflows to inf beyond a log ratio of about 709.
    """
    r, cf, patched_r, patched_cf = (
        np.asarray(values, dtype=np.float64)
        for values in (logp_clean_r, logp_clean_cf, logp_patched_r, logp_patched_cf)
    )
    with np.errstate(over="ignore"):
        return np.asarray((np.expm1(patched_cf - cf) + np.expm1(r - patched_r)) / 2)


def log_odds_change(
    logp_clean_r: LogProbs,
    logp_clean_cf: LogProbs,
    logp_patched_r: LogProbs,
    logp_patched_cf: LogProbs,
) -> Effects:
    """Change of log P(r)/P(r') by a patch, in nats, any shapes that broadcast, float64.

    log P*(r)/P*(r') - log P(r)/P(r'): negative where the patch moves the model from the clean
    answer r towards the counterfactual answer r'. Bounded where eq. 1 is not.
    """
    r, cf, patched_r, patched_cf = (
        np.asarray(values, dtype=np.float64)
        for values in (logp_clean_r, logp_clean_cf, logp_patched_r, logp_patched_cf)
    )
    return np.asarray((patched_r - patched_cf) - (r - cf))
