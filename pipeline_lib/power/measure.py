"""The measure, log P(TRUE) - log P(FALSE), and whether a model tells the sentences apart."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float64

from pipeline_lib.errors import PromptError
from pipeline_lib.rng import generator
from pipeline_lib.stats import bootstrap_mean_interval, sign_flip_p_values, wilson_interval

STATUS = ("swept", "wrong_way", "within_noise", "unequal_length")
"""What becomes of a pair: it may be swept, or why not."""


def log_ratio(
    logits: Float64[np.ndarray, "*cell candidate"], n_true: int
) -> Float64[np.ndarray, "*cell"]:
    """Log P(TRUE) - log P(FALSE) in nats, each summed over its variants.

    The first ``n_true`` candidates are the variants of TRUE, the others those of FALSE.
    """
    true, false = logits[..., :n_true], logits[..., n_true:]
    with np.errstate(invalid="ignore"):  # places that a pair lacks are NaN
        return np.asarray(np.logaddexp.reduce(true, axis=-1) - np.logaddexp.reduce(false, axis=-1))


def status_of(pairs: pd.DataFrame, floor: float, *, alignment: str, swept: str) -> list[str]:
    """What becomes of each pair: one of `STATUS`.

    ``pairs`` has source, base (log-ratios), source_tokens and base_tokens. Under "strict"
    alignment only pairs of equal length are swept; never those whose runs differ by no more than
    ``floor``; and with ``swept`` "ordered" only those whose source is the larger.
    """
    gap = (pairs["source"] - pairs["base"]).to_numpy(np.float64)
    equal = (pairs["source_tokens"] == pairs["base_tokens"]).to_numpy()
    chosen = np.select(
        [
            ~equal & (alignment == "strict"),
            np.abs(gap) <= floor,
            (gap < 0) & (swept == "ordered"),
        ],
        ["unequal_length", "within_noise", "wrong_way"],
        "swept",
    )
    return [str(name) for name in chosen]


@dataclass(frozen=True)
class Row:
    """One line of the table of baselines: a measure, its mean or share, 95 % interval, n."""

    measure: str
    value: float
    low: float
    high: float
    n: int


def baselines(pairs: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Whether a model tells the sentences apart: means and shares with 95 % intervals.

    ``pairs`` has source, base, source_mass and base_mass. Rows: mean log-ratio of either run and
    their difference (nats), share of pairs in the right order, of sources answered TRUE and of
    bases answered FALSE, two-sided p of a sign-flip test of the difference, mean probability of all
    variants together. Over all pairs, also those that are not swept.
    """
    source, base = (pairs[name].to_numpy(np.float64) for name in ("source", "base"))
    mass = pairs[["source_mass", "base_mass"]].to_numpy(np.float64).mean(axis=1)
    rows = [
        _mean("source", source, seed),
        _mean("base", base, seed),
        _mean("difference", source - base, seed),
        _share("ordered", source > base),
        _share("source_true", source > 0),
        _share("base_false", base < 0),
        _mean("mass", mass, seed),
    ]
    p = sign_flip_p_values(source - base, generator(seed, "power", "sign_flip"))
    rows.append(Row("p", float(p), np.nan, np.nan, len(pairs)))
    return pd.DataFrame(rows)


def _mean(measure: str, values: Float64[np.ndarray, " pair"], seed: int) -> Row:
    low, high = bootstrap_mean_interval(values, generator(seed, "power", "baseline", measure))
    return Row(measure, float(values.mean()), float(low), float(high), len(values))


def _share(measure: str, is_so: np.ndarray) -> Row:
    share, n = np.array([is_so.mean()]), np.array([len(is_so)])
    low, high = wilson_interval(share, n)
    return Row(measure, float(share[0]), float(low[0]), float(high[0]), len(is_so))


def counts(pairs: pd.DataFrame) -> dict[str, int]:
    """How many pairs there are and how many have each status."""
    return {"pairs": len(pairs)} | {name: int((pairs["status"] == name).sum()) for name in STATUS}


def choose_pairs(pairs: pd.DataFrame, n: int, shown: int | str, seed: int) -> list[int]:
    """Up to ``n`` pairs to be swept, as lines: the one shown first, then others at random.

    ``shown`` is its line, or "auto": the pair whose runs differ most. Of the same pairs, the choice
    of fewer is the beginning of the choice of more. Raises PromptError for a line that is not to be
    swept.
    """
    passed = pairs[pairs["status"] == "swept"]
    if passed.empty:
        return []
    gap = (passed["source"] - passed["base"]).abs()
    first = int(passed["line"].iloc[int(gap.to_numpy().argmax())]) if shown == "auto" else shown
    lines = [int(line) for line in passed["line"]]
    if first not in lines:
        status = dict(zip(pairs["line"], pairs["status"], strict=True))
        raise PromptError(
            "The pair to show is not swept.",
            where=f"power.shown_pair: {shown}",
            value=status.get(shown, "no pair is in this line of the table"),
            hint=f"Choose auto, or the line of one that is: {', '.join(map(str, lines))}",
        )
    order = generator(seed, "power", "pairs").permutation(len(lines))
    others = [lines[i] for i in order if lines[i] != first]
    return [int(first), *others][:n]
