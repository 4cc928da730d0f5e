"""The helix of a number: a line and circles of a few periods, fitted to residuals.

h(n) = C B(n) + c with B(n) = [n, cos(2 pi n / T), sin(2 pi n / T) for every period T]
(Kantamneni and Tegmark 2025, periods 2, 5, 10, 100; there is no sine of period 2).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from pipeline_lib.rivals.waves import waves
from pipeline_lib.stats import bootstrap_ratio_interval

N_FOLDS = 5
N_RESAMPLES = 500
FIT_COLUMNS = ["fit", "parameters", "explained", "low", "high"]
States = Float[np.ndarray, "number d_model"]
Numbers = Int[np.ndarray, " number"]
Basis = Float[np.ndarray, "number parameter"]


def helix_basis(numbers: Numbers, periods: Sequence[int] | Float[np.ndarray, " period"]) -> Basis:
    """B(n) for every number, each column with deviation 1; columns that are 0 are left out."""
    found = 1 / np.array(periods, dtype=np.float64)
    columns = np.concatenate([numbers[:, None].astype(np.float64), waves(numbers, found)], axis=1)
    return _standardized(columns)


def polynomial_basis(numbers: Numbers, degree: int) -> Basis:
    """Legendre polynomials of degree 1 to ``degree`` of the numbers, scaled to -1..1."""
    span = max(np.ptp(numbers), 1)
    scaled = 2 * (numbers - numbers.min()) / span - 1
    return _standardized(np.polynomial.legendre.legvander(scaled, degree)[:, 1:])


def _standardized(columns: Float[np.ndarray, "number column"]) -> Basis:
    deviation = columns.std(axis=0)
    kept = deviation > 1e-9
    return (columns[:, kept] - columns[:, kept].mean(axis=0)) / deviation[kept]


def fold_of(n_numbers: int, rng: np.random.Generator) -> Int[np.ndarray, " number"]:
    """Random fold of every number, as equal in size as can be."""
    return rng.permutation(np.arange(n_numbers) % N_FOLDS)


def held_out_errors(
    basis: Basis, states: States, fold: Int[np.ndarray, " number"]
) -> Float[np.ndarray, " number"]:
    """Squared error of each number's residual, predicted from fits that have not seen it."""
    design = np.concatenate([np.ones((len(basis), 1)), basis], axis=1)
    errors = np.empty(len(states))
    for test in _tests(fold):
        x = design[~test]
        weight = np.linalg.lstsq(x.T @ x, x.T @ states[~test], rcond=1e-12)[0]
        errors[test] = ((states[test] - design[test] @ weight) ** 2).sum(axis=1)
    return errors


def mean_errors(states: States, fold: Int[np.ndarray, " number"]) -> Float[np.ndarray, " number"]:
    """The same when the mean of the other folds is the prediction."""
    return held_out_errors(np.zeros((len(states), 0)), states, fold)


def component_errors(
    states: States, fold: Int[np.ndarray, " number"], n_components: int
) -> Float[np.ndarray, " number"]:
    """Squared distance of each residual from the other folds' first principal components.

    Not a prediction from the number: the least that any subspace of this dimension leaves.
    """
    errors = np.empty(len(states))
    for test in _tests(fold):
        mean = states[~test].mean(axis=0)
        components = np.linalg.svd(states[~test] - mean, full_matrices=False)[2][:n_components]
        left = states[test] - mean
        errors[test] = ((left - left @ components.T @ components) ** 2).sum(axis=1)
    return errors


def fit_table(
    states: States,
    numbers: Numbers,
    periods: Sequence[int],
    *,
    n_draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Share of the variance over held-out numbers that the helix and its rivals explain.

    "helix"; "line" its linear term alone; "polynomial" a smooth curve with as many parameters;
    "components" as many principal components (a ceiling, see `component_errors`); intervals are
    95 % bootstraps over numbers. "other_periods": helices of as many random periods; "shuffled":
    the helix of numbers in random order; both with the mean and the central 95 % of ``n_draws``.
    No rows with fewer than two numbers a parameter.
    """
    basis = helix_basis(numbers, periods)
    size = basis.shape[1]
    if len(numbers) < 2 * (size + 1):
        return pd.DataFrame(columns=FIT_COLUMNS)
    fold, states = fold_of(len(numbers), rng), states.astype(np.float64)
    total = mean_errors(states, fold)
    single = {
        "helix": held_out_errors(basis, states, fold),
        "line": held_out_errors(basis[:, :1], states, fold),
        "polynomial": held_out_errors(polynomial_basis(numbers, size), states, fold),
        "components": component_errors(states, fold, size),
    }
    nulls: dict[str, list[float]] = {"other_periods": [], "shuffled": []}
    for _ in range(n_draws):
        other = helix_basis(numbers, random_periods(int(np.ptp(numbers)) + 1, len(periods), rng))
        shuffled = basis[rng.permutation(len(basis))]
        for name, drawn in (("other_periods", other), ("shuffled", shuffled)):
            nulls[name].append(1 - held_out_errors(drawn, states, fold).sum() / total.sum())
    return _table(single, nulls, total, size, rng)


def random_periods(span: int, count: int, rng: np.random.Generator) -> Float[np.ndarray, " period"]:
    """Periods between 2 and ``span``, uniform in logarithm."""
    return np.exp(rng.uniform(np.log(2), np.log(max(span, 3)), size=count))


def _table(
    errors: Mapping[str, Float[np.ndarray, " number"]],
    nulls: Mapping[str, list[float]],
    total: Float[np.ndarray, " number"],
    size: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    rows = []
    for name, error in errors.items():
        low, high = bootstrap_ratio_interval(error, total, rng, N_RESAMPLES)
        share = 1 - error.sum() / total.sum()
        rows.append((name, 1 if name == "line" else size, share, 1 - high, 1 - low))
    for name, draws in nulls.items():
        low, high = np.quantile(draws, [0.025, 0.975])
        rows.append((name, size, float(np.mean(draws)), float(low), float(high)))
    return pd.DataFrame(rows, columns=FIT_COLUMNS)


def _tests(fold: Int[np.ndarray, " number"]) -> list[np.ndarray]:
    """Which numbers are tested, fold by fold."""
    return [fold == number for number in np.unique(fold)]
