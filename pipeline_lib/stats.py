"""Intervals of means and shares, over prompts; tests, one or many at a time."""

import warnings

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

Z_95 = 1.959963984540054
FLIPS_AT_ONCE = 1024


def bootstrap_mean_interval(
    values: Float[np.ndarray, "sample *cell"], rng: np.random.Generator, n: int = 2000
) -> tuple[Float[np.ndarray, "*cell"], Float[np.ndarray, "*cell"]]:
    """95 % percentile bootstrap interval of the mean over the first axis, of every cell.

    All cells share the ``n`` resamples, drawn with replacement. Without samples both ends are NaN.
    """
    if not len(values):
        return np.full(values.shape[1:], np.nan), np.full(values.shape[1:], np.nan)
    means = resampled_means(values, rng, n)
    low, high = (np.asarray(np.quantile(means, end, axis=0)) for end in (0.025, 0.975))
    return low, high


def resampled_means(
    values: Float[np.ndarray, "sample *cell"], rng: np.random.Generator, n: int = 2000
) -> Float[np.ndarray, "n *cell"]:
    """Means of ``n`` bootstrap resamples of the first axis, drawn with replacement, of every cell.

    For intervals of what is computed from several means, which share the resamples. Raises
    ValueError without samples.
    """
    if not len(values):
        raise ValueError("no samples can be drawn from an empty array")
    # how often each sample is drawn: a matrix product then gives every resampled mean at once
    counts = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), size=n)
    means = counts @ values.reshape(len(values), -1).astype(np.float64) / len(values)
    return means.reshape(n, *values.shape[1:])


def nested_weights(
    n_seeds: int, n_samples: int, rng: np.random.Generator, n: int = 2000
) -> Float[np.ndarray, "n seed sample"]:
    """Weights of every (seed, sample) in the mean of ``n`` resamples; each resample's add up to 1.

    Seeds are drawn with replacement, then samples, which are the same things under every seed (a
    prompt with another counterfactual): a drawn sample comes with all drawn seeds. So a sample's
    values stay together, and what it is decides the width as much as it should, however many seeds
    repeat it. With one seed this is the plain bootstrap.
    """
    seeds, samples = (
        rng.multinomial(size, np.full(size, 1 / size), size=n) / size
        for size in (n_seeds, n_samples)
    )
    return seeds[:, :, None] * samples[:, None, :]


def nested_means(
    values: Float[np.ndarray, "seed sample *cell"], rng: np.random.Generator, n: int = 2000
) -> Float[np.ndarray, "n *cell"]:
    """Means of ``n`` resamples of seeds and samples (`nested_weights`), of every cell.

    Values that are not finite are left out of the resample's mean; NaN where none is left. Raises
    ValueError without samples.
    """
    if not values.shape[0] * values.shape[1]:
        raise ValueError("no samples can be drawn from an empty array")
    weights = nested_weights(values.shape[0], values.shape[1], rng, n).reshape(n, -1)
    flat = values.reshape(weights.shape[1], -1).astype(np.float64)
    finite = np.isfinite(flat)
    total = weights @ np.where(finite, flat, 0.0)
    share = 1.0 if finite.all() else weights @ finite
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / share).reshape(n, *values.shape[2:])


def nested_mean_interval(
    values: Float[np.ndarray, "seed sample *cell"], rng: np.random.Generator, n: int = 2000
) -> tuple[Float[np.ndarray, "*cell"], Float[np.ndarray, "*cell"]]:
    """95 % percentile interval of the mean over seeds and samples (`nested_means`), of every cell.

    Without samples both ends are NaN.
    """
    if not values.shape[0] * values.shape[1]:
        return np.full(values.shape[2:], np.nan), np.full(values.shape[2:], np.nan)
    return ends_of(nested_means(values, rng, n))


def ends_of(
    resampled: Float[np.ndarray, "n *cell"],
) -> tuple[Float[np.ndarray, "*cell"], Float[np.ndarray, "*cell"]]:
    """95 % percentile interval of resampled values; resamples without a value are left out."""
    ends = (0.025, 0.975)
    quantile = np.nanquantile if np.isnan(resampled).any() else np.quantile
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # cells without any value: NaN
        low, high = (np.asarray(quantile(resampled, end, axis=0)) for end in ends)
    return low, high


def bootstrap_ratio_interval(
    part: Float[np.ndarray, " sample"],
    whole: Float[np.ndarray, " sample"],
    rng: np.random.Generator,
    n: int = 2000,
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of sum(``part``) / sum(``whole``) over samples.

    For shares of things that come in clusters, of which each sample is one. Resamples whose
    ``whole`` adds up to 0 are left out; NaN where none is left.
    """
    if not len(whole):
        return float("nan"), float("nan")
    means = resampled_means(np.stack([part, whole], axis=1), rng, n)
    means = means[means[:, 1] != 0]
    if not len(means):
        return float("nan"), float("nan")
    low, high = np.quantile(means[:, 0] / means[:, 1], [0.025, 0.975])
    return float(low), float(high)


def wilson_interval(
    share: Float[np.ndarray, " row"], n: Int[np.ndarray, " row"]
) -> tuple[Float[np.ndarray, " row"], Float[np.ndarray, " row"]]:
    """95 % Wilson score interval of shares, each of ``n`` >= 1 yes-or-no outcomes."""
    spread = Z_95**2 / n
    centre = (share + spread / 2) / (1 + spread)
    half = np.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)


def permutation_p_value(
    first: Float[np.ndarray, " one"],
    second: Float[np.ndarray, " other"],
    rng: np.random.Generator,
    n: int = 10_000,
) -> float:
    """Two-sided p-value of the difference of two groups' means, under exchanged group labels.

    (1 + permutations with a difference at least as large) / (1 + ``n``), so never 0. NaN where a
    group is empty.
    """
    if not len(first) or not len(second):
        return float("nan")
    values = np.concatenate([first, second]).astype(np.float64)
    values -= values.mean()  # the sum of one group then tells the difference of the means
    sums = np.array([rng.permutation(values)[: len(first)].sum() for _ in range(n)])
    found = values[: len(first)].sum()
    # permutations that give the same difference may round differently
    margin = 1e-9 * np.abs(values).sum()
    return float((1 + (np.abs(sums) >= np.abs(found) - margin).sum()) / (1 + n))


def sign_flip_p_values(
    values: Float[np.ndarray, "sample *cell"], rng: np.random.Generator, n: int = 9_999
) -> Float[np.ndarray, "*cell"]:
    """Two-sided p-value of every cell's sum when the sign of each sample is a coin's.

    That is so for values symmetric around 0. A sample is what is drawn independently: values of one
    prompt under several seeds must be averaged first, and keep one sign. All cells share the
    flips. All 2^samples of them where these are at most ``n``: the share with a sum at least as far
    from 0. Else ``n`` random ones, (1 + as far) / (1 + n). Values that are not finite count as 0; a
    cell of zeros has 1; NaN without samples.
    """
    shape = values.shape[1:]
    if not len(values):
        return np.full(shape, np.nan)
    flat = values.reshape(len(values), -1).astype(np.float64)
    flat = np.where(np.isfinite(flat), flat, 0.0)
    # flips that give the same sum may round differently
    least = np.abs(flat.sum(axis=0)) - 1e-9 * np.abs(flat).sum(axis=0)
    is_exact = len(values) < 64 and 2 ** len(values) <= n
    total = 2 ** len(values) if is_exact else n
    as_far = np.zeros(flat.shape[1])
    for start in range(0, total, FLIPS_AT_ONCE):
        rows = np.arange(start, min(start + FLIPS_AT_ONCE, total))
        if is_exact:
            heads = rows[:, None] >> np.arange(len(values)) & 1
        else:
            heads = rng.integers(0, 2, size=(len(rows), len(values)))
        as_far += (np.abs((2.0 * heads - 1.0) @ flat) >= least).sum(axis=0)
    p = as_far / total if is_exact else (1 + as_far) / (1 + n)
    return np.asarray(p).reshape(shape)


def flips_for(n_tests: int, rate: float = 0.05) -> int:
    """Random flips with which even one of many tests can pass at a false discovery rate.

    The smallest p is 1 / (1 + flips), which must not exceed rate / tests; 9,999 to 99,999.
    """
    return int(np.clip(np.ceil(n_tests / rate), 9_999, 99_999))


def rank_p_value(
    observed: float,
    null: Float[np.ndarray, " draw"],
    *,
    larger: bool = True,
    is_every: bool = False,
) -> float:
    """One-sided p-value of a value among those that chance gives; ``larger`` is better, or smaller.

    (1 + as good) / (1 + draws). Where ``is_every`` the draws are all there can be, the observed
    among them: the share as good. NaN where a value is missing.
    """
    if np.isnan(observed) or np.isnan(null).any() or not len(null):
        return float("nan")
    margin = 1e-9 * abs(observed)  # equal sets may round differently
    as_good = int((null >= observed - margin if larger else null <= observed + margin).sum())
    return as_good / len(null) if is_every else (1 + as_good) / (1 + len(null))


def rank_correlation(
    x: Float[np.ndarray, "*row thing"], y: Float[np.ndarray, "*row thing"]
) -> Float[np.ndarray, "*row"]:
    """Spearman's rank correlation along the last axis; ties share their mean rank.

    NaN where a side is constant.
    """
    sides = [_centred_ranks(values) for values in (x, y)]
    squares = [np.square(side).sum(-1) for side in sides]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((sides[0] * sides[1]).sum(-1) / np.sqrt(squares[0] * squares[1]))


def _centred_ranks(values: Float[np.ndarray, "*row thing"]) -> Float[np.ndarray, "*row thing"]:
    rows = pd.DataFrame(values.reshape(-1, values.shape[-1])).rank(axis=1).to_numpy()
    return np.asarray(rows - rows.mean(-1, keepdims=True)).reshape(values.shape)


def rank_correlation_test(
    x: Float[np.ndarray, " thing"],
    y: Float[np.ndarray, " thing"],
    rng: np.random.Generator,
    n: int = 10_000,
) -> tuple[float, float, float, float]:
    """Rank correlation, its 95 % percentile bootstrap interval over things, and a p-value.

    The p-value is two-sided, of one side's values exchanged at random: (1 + as far from 0) /
    (1 + ``n``). The interval is of ``n`` // 5 resamples, of which constant ones are left out. All
    NaN where a side is constant.
    """
    found = float(rank_correlation(x, y))
    if np.isnan(found):
        return (float("nan"),) * 4
    first, second = _centred_ranks(x), _centred_ranks(y)
    moved = rng.permuted(np.tile(second, (n, 1)), axis=1) @ first
    # permutations that give the same correlation may round differently
    least = abs(float(first @ second)) * (1 - 1e-9)
    p = (1 + int((np.abs(moved) >= least).sum())) / (1 + n)
    drawn = rng.integers(len(x), size=(n // 5, len(x)))
    low, high = ends_of(rank_correlation(x[drawn], y[drawn]))
    return found, float(low), float(high), p


def benjamini_hochberg(p_values: Float[np.ndarray, "*test"]) -> Float[np.ndarray, "*test"]:
    """Of every p-value, the smallest false discovery rate at which its test is rejected (q-value).

    min over p' >= p of p' m / rank(p'), m the number of tests (Benjamini and Hochberg 1995), of any
    shape. A NaN stays NaN and counts as no test.
    """
    q_values = np.full(p_values.shape, np.nan)
    tested = ~np.isnan(p_values)
    p = p_values[tested]
    order = np.argsort(p)
    steps = p[order] * len(p) / np.arange(1, len(p) + 1)
    found = np.empty(len(p))
    # the largest p first: a smaller p may be no less significant than a larger one
    found[order] = np.minimum.accumulate(steps[::-1])[::-1]
    q_values[tested] = np.minimum(found, 1.0)
    return q_values
