from fractions import Fraction
from math import log

import numpy as np
import pytest

from pipeline_lib.errors import PromptError
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.bernoulli import (
    BernoulliTask,
    Hypotheses,
    balanced_counts,
    beta_bernoulli,
    draw_sequences,
    frequentist,
    sample_sequences,
)

N_X = np.arange(11)
N_Y = 10 - N_X
TWO = Hypotheses((0.5, 0.75))


def test_the_log_odds_of_b_are_those_of_the_closed_form():
    posterior = TWO.log_posterior(N_X, N_Y)
    np.testing.assert_allclose(
        posterior[:, 1] - posterior[:, 0], N_X * log(1.5) - N_Y * log(2), atol=1e-12
    )
    np.testing.assert_allclose(np.exp(posterior).sum(-1), 1)


def test_the_predictive_is_a_half_and_a_quarter_of_the_belief():
    np.testing.assert_allclose(TWO.predictive(N_X, N_Y), 0.5 + 0.25 * TWO.belief(N_X, N_Y))


def test_one_draw_by_hand():
    belief = TWO.belief(np.array([1, 0]), np.array([0, 1]))
    np.testing.assert_allclose(belief, [0.6, 1 / 3])
    np.testing.assert_allclose(TWO.predictive(np.array([1]), np.array([0])), [0.65])


def test_several_generators_and_priors_agree_with_fractions():
    p = [Fraction(1, 4), Fraction(1, 2), Fraction(4, 5)]
    weights = [3, 1, 2]
    joint = [w * q**6 * (1 - q) ** 3 for w, q in zip(weights, p, strict=True)]
    expected = [float(j / sum(joint)) for j in joint]
    three = Hypotheses(tuple(map(float, p)), (3.0, 1.0, 2.0))
    n_x, n_y = np.array([6]), np.array([3])
    np.testing.assert_allclose(np.exp(three.log_posterior(n_x, n_y))[0], expected)
    mean = float(sum(j * q for j, q in zip(joint, p, strict=True)) / sum(joint))
    np.testing.assert_allclose(three.predictive(n_x, n_y), [mean])
    others = float((joint[0] * p[0] + joint[1] * p[1]) / (joint[0] + joint[1]))
    np.testing.assert_allclose(three.slope(n_x, n_y), [0.8 - others])


def test_the_slope_of_two_generators_is_their_distance():
    np.testing.assert_allclose(TWO.slope(N_X, N_Y), 0.25)
    assert Hypotheses((0.3,)).slope(np.array([2]), np.array([1])) == 0


def test_very_many_draws_stay_finite():
    n_x, n_y = np.array([100_000, 0]), np.array([0, 100_000])
    found = TWO.log_posterior(n_x, n_y)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(TWO.predictive(n_x, n_y), [0.75, 0.5])


def test_other_rules_by_hand():
    n_x, n_y = np.array([7, 0, 0]), np.array([3, 4, 0])
    np.testing.assert_allclose(beta_bernoulli(n_x, n_y), [8 / 12, 1 / 6, 1 / 2])
    np.testing.assert_allclose(beta_bernoulli(n_x, n_y, 2.0, 6.0), [9 / 18, 2 / 12, 2 / 8])
    np.testing.assert_allclose(frequentist(n_x, n_y), [0.7, 0.0, np.nan])


@pytest.mark.parametrize("wrong", [(0.5, 1.0), (0.0,), (), (0.5, -0.1), (0.1,) * 11])
def test_impossible_generators_are_refused(wrong):
    with pytest.raises(PromptError, match="between 0 and 1"):
        Hypotheses(wrong)


@pytest.mark.parametrize("priors", [(1.0,), (1.0, 0.0), (1.0, -1.0)])
def test_every_generator_needs_a_prior(priors):
    with pytest.raises(PromptError, match="prior weight"):
        Hypotheses((0.5, 0.75), priors)


TASK = BernoulliTask.of([0.5, 0.75], [], ["X", "Y"], 4)


def test_prompts_are_those_of_the_spec():
    start = "Two random generators. Generator A: 50% X. Generator B: 75% X."
    end = " Sequence: X Y X X. Predict the next output (X or Y):"
    assert TASK.text("xyxx", "base") == start + end
    assert TASK.text("xyxx", "independent") == f"{start} Draws are independent.{end}"
    assert TASK.text("xyxx", "order_irrelevant") == (
        f"{start} Draws are independent. Order does not matter.{end}"
    )


def test_other_generators_and_outcomes_are_written_too():
    task = BernoulliTask.of([0.1, 0.5, 0.625], [1.0, 1.0, 2.0], ["H", "T"], 2)
    assert task.text("xy", "base") == (
        "Three random generators. Generator A: 10% H. Generator B: 50% H. Generator C: 62.5% H. "
        "Sequence: H T. Predict the next output (H or T):"
    )


def test_orders_are_distinct_seeded_and_as_many_as_there_are():
    drawn = sample_sequences(6, 5, generator(1, "draws"))
    assert {n_x: len(found) for n_x, found in drawn.items()} == {
        0: 1, 1: 5, 2: 5, 3: 5, 4: 5, 5: 5, 6: 1,
    }  # fmt: skip
    for n_x, found in drawn.items():
        assert len(set(found)) == len(found)
        assert all(len(draws) == 6 and draws.count("x") == n_x for draws in found)
    assert drawn == sample_sequences(6, 5, generator(1, "draws"))
    assert drawn != sample_sequences(6, 5, generator(2, "draws"))
    assert len(draw_sequences(2, 4, 100, generator(0))) == 6
    assert len(set(draw_sequences(20, 40, 50, generator(0)))) == 50
    with pytest.raises(PromptError, match="5 of 4"):
        draw_sequences(5, 4, 1, generator(0))


def test_every_order_is_equally_likely():
    rng = generator(0, "orders")
    first = [draw_sequences(1, 10, 1, rng)[0].index("x") for _ in range(2000)]
    assert np.abs(np.bincount(first, minlength=10) - 200).max() < 60


def test_a_sample_is_as_balanced_as_there_are_orders():
    assert balanced_counts(10, 200).tolist() == [1, 10, 25, 25, 26, 26, 26, 25, 25, 10, 1]
    assert balanced_counts(4, 16).tolist() == [1, 4, 6, 4, 1]
    assert balanced_counts(4, 0).tolist() == [0] * 5
    assert balanced_counts(10, 3).sum() == 3
    with pytest.raises(PromptError, match="17 of 16"):
        balanced_counts(4, 17)


def test_a_table_of_prompts_holds_counts_and_texts():
    table = TASK.prompts({1: ["xyyy", "yyxy"], 4: ["xxxx"]}, "base")
    assert table["n_x"].tolist() == [1, 1, 4]
    assert table["permutation"].tolist() == [0, 1, 0]
    assert table["text"].iloc[2] == TASK.text("xxxx", "base")
    n_x, n_y = TASK.counts(table)
    assert (n_x + n_y).tolist() == [4, 4, 4]
