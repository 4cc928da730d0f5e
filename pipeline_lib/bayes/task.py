"""Can the model do the task: its P(X) beside Bayes' rule and rules that are not Bayes'."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from jaxtyping import Float64

from pipeline_lib.bayes.columns import ANSWER_COLUMNS, RULES, SCORE_COLUMNS
from pipeline_lib.bayes.readout import OutcomeTokens
from pipeline_lib.bayes.running import LastPosition
from pipeline_lib.stats import ends_of, resampled_means
from pipeline_lib.stimuli.bernoulli import BernoulliTask, beta_bernoulli, frequentist

Values = Float64[np.ndarray, " prompt"]
RESAMPLES = 2000


def answers(
    task: BernoulliTask, outcomes: OutcomeTokens, prompts: pd.DataFrame, run: LastPosition
) -> pd.DataFrame:
    """The model's own answer to every prompt beside what each rule says (`ANSWER_COLUMNS`).

    ``no_evidence`` is the predictive before any draw. ``mass`` is the probability of all outcome
    tokens, ``top`` whether the most probable token of all is one of them.
    """
    n_x, n_y = task.counts(prompts)
    rules = {
        "bayes": task.hypotheses.predictive(n_x, n_y),
        "beta_bernoulli": beta_bernoulli(n_x, n_y),
        "frequentist": frequentist(n_x, n_y),
        "no_evidence": task.hypotheses.predictive(0 * n_x, 0 * n_y),
    }
    found = prompts.assign(
        p_x=outcomes.p_x(run.output),
        mass=run.mass,
        top=np.isin(run.top, [*outcomes.x, *outcomes.y]),
        **rules,
    )
    return found[ANSWER_COLUMNS]


def score(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """How far the answers are from each rule and whether they follow it (`SCORE_COLUMNS`).

    Mean absolute error, mean error (bias), correlation and least-squares slope of P(X) on the rule;
    ``gain``: how much closer to the rule P(X) is than the predictive without evidence. 95 %
    bootstrap intervals over prompts.
    """
    rows = []
    for template, part in table.groupby("template", sort=False):
        p_x, prior = (part[name].to_numpy(np.float64) for name in ("p_x", "no_evidence"))
        for rule in RULES[:-1]:
            target = part[rule].to_numpy(np.float64)
            mae, ignorant = np.abs(p_x - target), np.abs(prior - target)
            both = np.stack([mae, ignorant - mae], axis=1)
            low, high = ends_of(resampled_means(both, rng, RESAMPLES))
            rows.append(
                {
                    "template": template,
                    "rule": rule,
                    "prompts": len(part),
                    "mae": mae.mean(),
                    "mae_low": low[0],
                    "mae_high": high[0],
                    "bias": (p_x - target).mean(),
                    **named("correlation", correlation(p_x, target), p_x, target, rng),
                    "slope": slope(p_x, target),
                    "no_evidence_mae": ignorant.mean(),
                    "gain": both[:, 1].mean(),
                    "gain_low": low[1],
                    "gain_high": high[1],
                }
            )
    return pd.DataFrame(rows, columns=SCORE_COLUMNS)


def named(
    name: str, value: float, one: Values, other: Values, rng: np.random.Generator
) -> dict[str, float]:
    """A correlation with the ends of its interval, by column."""
    low, high = paired_interval(one, other, rng, correlations)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def correlation(one: Values, other: Values) -> float:
    """Pearson's correlation; NaN where one of them does not vary."""
    return float(correlations(_moments(one, other, np.full((1, len(one)), 1 / len(one))))[0])


def slope(one: Values, other: Values) -> float:
    """Least-squares slope of ``one`` on ``other``; NaN where that does not vary."""
    mean_1, mean_2, _, square_2, product = _moments(
        one, other, np.full((1, len(one)), 1 / len(one))
    ).T
    spread = square_2 - mean_2**2
    return float(((product - mean_1 * mean_2) / spread)[0]) if spread > 1e-12 else float("nan")


def correlations(moments: Float64[np.ndarray, "draw 5"]) -> Float64[np.ndarray, " draw"]:
    """Correlations from means, mean squares and mean products; NaN without variance."""
    mean_1, mean_2, square_1, square_2, product = moments.T
    spread = (square_1 - mean_1**2) * (square_2 - mean_2**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 1e-18, (product - mean_1 * mean_2) / np.sqrt(spread), np.nan)


def paired_interval(
    one: Values,
    other: Values,
    rng: np.random.Generator,
    measure: Callable[[np.ndarray], np.ndarray],
) -> tuple[float, float]:
    """95 % bootstrap interval over prompts of a measure of two columns' moments."""
    n = len(one)
    if n < 3:
        return float("nan"), float("nan")
    weights = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n
    low, high = ends_of(measure(_moments(one, other, weights)))
    return float(low), float(high)


def _moments(
    one: Values, other: Values, weights: Float64[np.ndarray, "draw prompt"]
) -> Float64[np.ndarray, "draw 5"]:
    """Weighted means of both, of their squares and of their product, around their plain means."""
    a, b = one - one.mean(), other - other.mean()
    return weights @ np.stack([a, b, a**2, b**2, a * b], axis=1)
