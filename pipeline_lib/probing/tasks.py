"""What a probe is asked: labels of prompts, a split of the prompts, and which guesses count.

Variants:

``answer``
    The paper's probe: the answer of each prompt, prompts split at random. An answer of a test
    prompt is usually also that of training prompts with other operands.
``shuffled``
    The same split, the answers dealt out anew over all prompts. A probe cannot learn more than how
    often each answer occurs, so its accuracy is what ``answer`` reaches without reading anything;
    selectivity is accuracy minus this.
``held_out``
    Split by answer value: no test answer is ever seen in training. A softmax probe never names a
    number it was not trained on, so top-1 accuracy is 0 by construction and says nothing. What
    counts instead is a guess next to the answer: the nearest training answer below or above it.
    Only a probe whose directions follow the number line does that for answers it has not seen;
    one that keeps a separate cluster for every answer does not. This is an ordinal score: compare
    it with its own ``chance``, not with the accuracy of the other two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from pipeline_lib.stimuli.arithmetic import some_prompts

Variant = Literal["answer", "shuffled", "held_out"]
VARIANTS: tuple[Variant, ...] = ("answer", "shuffled", "held_out")


def sample_correct(
    labelled: pd.DataFrame, n_prompts: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Up to ``n_prompts`` of the prompts that were answered right, drawn without replacement."""
    return some_prompts(labelled[labelled["label"] == "correct"], n_prompts, rng)


@dataclass(frozen=True)
class ProbeTask:
    """Labels of all prompts, rows to train and to test on, and the guesses that count as right.

    ``accepted`` holds two numbers for each test row; they are the same where only one is right.
    """

    variant: Variant
    labels: Int[np.ndarray, " prompt"]
    train: Int[np.ndarray, " train"]
    test: Int[np.ndarray, " test"]
    accepted: Int[np.ndarray, "test two"]

    def is_right(self, guesses: Int[np.ndarray, "probe test"]) -> Bool[np.ndarray, "probe test"]:
        """Which guesses of the test prompts count."""
        return (guesses[..., None] == self.accepted).any(-1)

    @property
    def chance(self) -> float:
        """Best test score of any training label guessed for every prompt; NaN without a split.

        The best is chosen on the test prompts: an upper bound of what can be had blindly.
        """
        if not len(self.train) or not len(self.test):
            return float("nan")
        known = np.unique(self.labels[self.train])
        constant = np.broadcast_to(known[:, None], (len(known), len(self.test)))
        return float(self.is_right(constant).mean(1).max())


def make_tasks(
    answers: Int[np.ndarray, " prompt"],
    variants: Sequence[Variant],
    test_share: float,
    rng: np.random.Generator,
) -> list[ProbeTask]:
    """A task for each variant; ``answer`` and ``shuffled`` share their split.

    ``test_share`` of the prompts (0..1) are tested. The draws do not depend on ``variants``.
    """
    order = rng.permutation(len(answers))
    n_test = round(test_share * len(answers))
    test, train = np.sort(order[:n_test]), np.sort(order[n_test:])
    tasks = {
        "answer": _exact_task("answer", answers, train, test),
        "shuffled": _exact_task("shuffled", rng.permutation(answers), train, test),
        "held_out": held_out_task(answers, test_share, rng),
    }
    return [tasks[variant] for variant in variants]


def _exact_task(
    variant: Variant, labels: np.ndarray, train: np.ndarray, test: np.ndarray
) -> ProbeTask:
    return ProbeTask(variant, labels, train, test, np.stack([labels[test]] * 2, axis=1))


def held_out_task(
    answers: Int[np.ndarray, " prompt"], test_share: float, rng: np.random.Generator
) -> ProbeTask:
    """Task whose test prompts are all those of some answers, at most ``test_share`` of them.

    Answers are taken in random order as long as their prompts still fit, so one that most prompts
    have (0 of a division) stays in training.
    """
    values, value_of, counts = np.unique(answers, return_inverse=True, return_counts=True)
    room, is_held_out = int(test_share * len(answers)), np.zeros(len(values), dtype=bool)
    for value in rng.permutation(len(values)):
        if counts[value] <= room:
            is_held_out[value] = True
            room -= counts[value]
    is_test = is_held_out[value_of]
    train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    return ProbeTask(
        "held_out", answers, train, test, neighbours(values[~is_held_out], answers[test])
    )


def neighbours(
    known: Int[np.ndarray, " value"], wanted: Int[np.ndarray, " row"]
) -> Int[np.ndarray, "row 2"]:
    """The nearest ``known`` numbers below and above each wanted one, which is not among them.

    ``known`` is sorted. Beyond its ends the nearest number stands twice; -1, which is no answer,
    stands for both where nothing is known.
    """
    if not len(known):
        return np.full((len(wanted), 2), -1, dtype=np.int64)
    above = np.searchsorted(known, wanted)
    ends = np.stack([above - 1, above], axis=1).clip(0, len(known) - 1)
    return known[ends]
