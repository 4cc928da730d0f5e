"""Draws from one of several Bernoulli generators: prompts, and what Bayes' rule says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int, Int64

from pipeline_lib.errors import PromptError

Counts = Int[np.ndarray, "*prompt"]
Shares = Float64[np.ndarray, "*prompt"]

TEMPLATES = {
    "base": "",
    "independent": " Draws are independent.",
    "order_irrelevant": " Draws are independent. Order does not matter.",
}
"""What each template adds to the generators."""
LETTERS = "ABCDEFGHIJ"
NUMBERS = ("One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
PROMPT_COLUMNS = ["template", "n_x", "permutation", "draws", "text"]


@dataclass(frozen=True)
class Hypotheses:
    """A finite set of Bernoulli generators: P(X) of each, and how likely it is before any draw.

    ``priors`` are weights, equal ones where none are given. Raises PromptError for a P(X) that is
    not strictly between 0 and 1 (one draw could rule the generator out), for weights that are not
    positive or not one for each generator, and for more generators than `LETTERS`.
    """

    probabilities: tuple[float, ...]
    priors: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        wrong = [p for p in self.probabilities if not 0 < p < 1]
        if wrong or not 1 <= len(self.probabilities) <= len(LETTERS):
            raise PromptError(
                f"Generators need probabilities between 0 and 1, one to {len(LETTERS)} of them.",
                value=wrong or self.probabilities,
                hint="A generator that never or always gives X is outside this study.",
            )
        if self.priors and (
            len(self.priors) != len(self.probabilities) or not all(w > 0 for w in self.priors)
        ):
            raise PromptError(
                "Every generator needs one prior weight above 0.",
                value=f"priors {self.priors} for probabilities {self.probabilities}",
            )

    @property
    def log_priors(self) -> Float64[np.ndarray, " hypothesis"]:
        """Logarithms of the prior probabilities."""
        weights = np.array(self.priors or (1.0,) * len(self.probabilities), dtype=np.float64)
        return np.log(weights) - np.log(weights.sum())

    def log_posterior(self, n_x: Counts, n_y: Counts) -> Float64[np.ndarray, "*prompt hypothesis"]:
        """Log-probability of each generator after draws of which ``n_x`` were X, ``n_y`` Y."""
        p = np.array(self.probabilities, dtype=np.float64)
        joint = self.log_priors + n_x[..., None] * np.log(p) + n_y[..., None] * np.log1p(-p)
        return joint - np.logaddexp.reduce(joint, axis=-1, keepdims=True)

    def belief(self, n_x: Counts, n_y: Counts) -> Shares:
        """Posterior probability of the last generator."""
        return np.exp(self.log_posterior(n_x, n_y)[..., -1])

    def predictive(self, n_x: Counts, n_y: Counts) -> Shares:
        """Posterior predictive: P(next = X) given the draws."""
        return np.exp(self.log_posterior(n_x, n_y)) @ np.array(self.probabilities)

    def slope(self, n_x: Counts, n_y: Counts) -> Shares:
        """Change of the predictive for each unit that the belief in the last generator changes.

        The others keep their proportions to each other.
        """
        belief = self.belief(n_x, n_y)
        if len(self.probabilities) == 1:
            return np.zeros_like(belief)
        last = self.probabilities[-1]
        others = (self.predictive(n_x, n_y) - last * belief) / (1 - belief)
        return last - others


def beta_bernoulli(n_x: Counts, n_y: Counts, alpha: float = 1.0, beta: float = 1.0) -> Shares:
    """P(next = X) under a Beta prior of the generator: (alpha + n_x) / (alpha + beta + n)."""
    return np.asarray((alpha + n_x) / (alpha + beta + n_x + n_y))


def frequentist(n_x: Counts, n_y: Counts) -> Shares:
    """Share of X among the draws; NaN without draws."""
    n = n_x + n_y
    return np.divide(n_x, n, out=np.full(np.shape(n), np.nan), where=n > 0)


@dataclass(frozen=True)
class BernoulliTask:
    """What a prompt tells: the generators, what their outcomes are called, how many draws."""

    hypotheses: Hypotheses
    outcomes: tuple[str, str]
    draws: int

    @classmethod
    def of(
        cls,
        probabilities: Sequence[float],
        priors: Sequence[float],
        outcomes: Sequence[str],
        draws: int,
        **_: Any,
    ) -> "BernoulliTask":
        """From config values."""
        first, second = outcomes
        return cls(Hypotheses(tuple(probabilities), tuple(priors)), (first, second), draws)

    def text(self, draws: str, template: str) -> str:
        """The prompt of a sequence of draws, written as a string of x and y."""
        names = {"x": self.outcomes[0], "y": self.outcomes[1]}
        shown = " ".join(names[draw] for draw in draws)
        first, second = self.outcomes
        ask = f"Predict the next output ({first} or {second}):"
        return f"{self.prefix(template)} Sequence: {shown}. {ask}"

    def prefix(self, template: str) -> str:
        """What a template says of the generators."""
        every = self.hypotheses.probabilities
        said = " ".join(
            f"Generator {letter}: {100 * p:g}% {self.outcomes[0]}."
            for letter, p in zip(LETTERS, every, strict=False)
        )
        plural = "s" if len(every) > 1 else ""
        return f"{NUMBERS[len(every) - 1]} random generator{plural}. {said}{TEMPLATES[template]}"

    def prompts(self, sequences: Mapping[int, Sequence[str]], template: str) -> pd.DataFrame:
        """Table (`PROMPT_COLUMNS`) of sequences by their number of X."""
        rows = [
            (template, n_x, permutation, draws, self.text(draws, template))
            for n_x, permutations in sequences.items()
            for permutation, draws in enumerate(permutations)
        ]
        return pd.DataFrame(rows, columns=PROMPT_COLUMNS)

    def counts(self, prompts: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of X and of Y of each prompt."""
        n_x = prompts["n_x"].to_numpy(np.int64)
        return n_x, self.draws - n_x


def draw_sequences(n_x: int, n: int, count: int, rng: np.random.Generator) -> list[str]:
    """Distinct orders of ``n_x`` x and ``n - n_x`` y, drawn at random.

    ``count`` of them, or all where there are fewer; PromptError where ``n_x`` exceeds ``n``.
    """
    if not 0 <= n_x <= n:
        raise PromptError("More X than draws.", value=f"{n_x} of {n}")
    possible = comb(n, n_x)
    if possible <= 2 * count:
        every = list(combinations(range(n), n_x))
        chosen = [every[i] for i in rng.permutation(possible)[:count]]
    else:
        found: dict[tuple[int, ...], None] = {}
        while len(found) < count:
            found[tuple(sorted(rng.permutation(n)[:n_x].tolist()))] = None
        chosen = list(found)
    return ["".join("x" if i in places else "y" for i in range(n)) for places in chosen]


def sample_sequences(n: int, count: int, rng: np.random.Generator) -> dict[int, list[str]]:
    """Up to ``count`` distinct orders for every number of X from 0 to ``n``."""
    return {n_x: draw_sequences(n_x, n, count, rng) for n_x in range(n + 1)}


def balanced_counts(n: int, total: int) -> Int64[np.ndarray, " n_x"]:
    """How many of ``total`` distinct sequences have each number of X: as equal as there are orders.

    Raises PromptError where there are fewer sequences.
    """
    if total > 2**n:
        raise PromptError(
            "There are fewer sequences than prompts asked for.",
            value=f"{total} of {2**n} sequences of {n} draws",
            hint="Ask for fewer prompts, or more draws.",
        )
    capacity = np.array([float(comb(n, n_x)) for n_x in range(n + 1)])
    counts = np.zeros(n + 1, dtype=np.int64)
    while counts.sum() < total:
        free = np.flatnonzero(counts < capacity)
        each = (total - int(counts.sum())) // len(free)
        if each:
            counts[free] += np.minimum(each, capacity[free] - counts[free]).astype(np.int64)
        else:  # the rest goes where Bayes' rule is least certain: to the middle
            nearest = free[np.argsort(np.abs(free - n / 2), kind="stable")]
            counts[nearest[: total - int(counts.sum())]] += 1
    return counts
