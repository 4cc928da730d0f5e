"""What a late neuron is expected to do to the two answers of a prompt pair, before noise.

A prompt of the neuron's operator is paired with one of any operator. Patching the neuron changes
half the difference of their answers' logits by 1/2 (k' - k)(v' - v): k its map, v its value row at
the answer, ' the counterfactual. The mean is the neuron's attribution (definitions 3).
"""

from functools import cache

import numpy as np
from jaxtyping import Float, Int

from pipeline_lib.models.planted.catalogue import plane, valid
from pipeline_lib.models.planted.settings import MAX_NUMBER
from pipeline_lib.stimuli.arithmetic import OPERATORS

RARE = 8
Map = Float[np.ndarray, "a b"]
Row = Float[np.ndarray, " number"]


@cache
def answers(operator: str) -> Int[np.ndarray, " prompt"]:
    """Answers of the valid prompts, in their order."""
    return plane(operator)["answer"].to_numpy()[valid(operator).ravel()]


def mean_effect(operator: str, activation: Map, row: Row) -> float:
    """Expected effect of a neuron of an operator; counterfactuals are of all operators alike."""
    k, v = activation[valid(operator)], row[answers(operator)]
    share = 1 / len(OPERATORS)
    other_v = np.mean([row[answers(name)].mean() for name in OPERATORS])
    same = (k * v).mean()
    mixed = share * k.mean() * v.mean() + k.mean() * other_v
    return float((share * same + same - mixed) / 2)


def root_mean_square_effect(
    operator: str, activation: Map, row: Row, rng: np.random.Generator, n: int = 4096
) -> float:
    """Root mean square of the effect over ``n`` random pairs: a bound of the mean effect."""
    k, v = activation[valid(operator)], row[answers(operator)]
    pool_k = [k if name == operator else np.zeros(len(answers(name))) for name in OPERATORS]
    clean = rng.integers(len(k), size=n)
    total = 0.0
    for name, other in zip(OPERATORS, pool_k, strict=True):
        drawn = rng.integers(len(other), size=n)
        change = (other[drawn] - k[clean]) * (row[answers(name)][drawn] - v[clean]) / 2
        total += float((change**2).mean())
    return float(np.sqrt(total / len(OPERATORS)))


def implied_results(activation: Map, operator: str) -> Row:
    """1 for every result of a valid prompt on which the map is not 0."""
    row = np.zeros(MAX_NUMBER + 1)
    row[answers(operator)[activation[valid(operator)] != 0]] = 1.0
    return row


def mean_by_result(activation: Map, operator: str) -> Row:
    """Mean of the map over the prompts with each result, less its mean; 0 for other numbers.

    Drawn towards 0 as if RARE more prompts had it: one prompt's noise must not make a large logit.
    """
    k, found = activation[valid(operator)], answers(operator)
    counts = np.bincount(found, minlength=MAX_NUMBER + 1)
    sums = np.bincount(found, weights=k - k.mean(), minlength=MAX_NUMBER + 1)
    return sums / (counts + RARE)
