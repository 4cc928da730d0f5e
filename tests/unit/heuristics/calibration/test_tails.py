import numpy as np
import pytest

from pipeline_lib.heuristics.calibration.tails import EULER, tail_probability


def test_the_share_of_null_maps_counts_the_neuron_itself():
    null = np.array([0.1, 0.2, 0.3, 0.4])
    assert tail_probability(0.25, null) == pytest.approx(3 / 5)
    assert tail_probability(0.1, null) == 1.0


def test_the_safety_factor_is_on_the_likelihood_ratio():
    null = np.array([0.1, 0.2, 0.3])
    # 1 - (1 - 0.2)**2 = 0.36: with the factor 2 the second reaches it
    assert tail_probability(0.359, null, safety=2.0) == pytest.approx(3 / 4)
    assert tail_probability(0.361, null, safety=2.0) == pytest.approx(2 / 4)


def test_beyond_all_null_maps_the_tail_is_gumbels():
    null = 1 - np.exp(-np.array([1.0, 2.0, 3.0]))
    width = np.std([1, 2, 3]) * np.sqrt(6) / np.pi
    mode = 2 - EULER * width
    expected = 1 - np.exp(-np.exp(-(8.0 - mode) / width))
    assert tail_probability(1 - np.exp(-8.0), null) == pytest.approx(expected, rel=1e-6)


def test_gumbel_tails_of_gumbel_draws_are_right():
    rng = np.random.default_rng(0)
    tails = []
    for _ in range(400):
        null = 1 - np.exp(-(0.3 + 0.05 * rng.gumbel(size=49)))
        observed = 0.3 + 0.05 * 5.3  # exceeded with probability 0.005
        tails.append(tail_probability(1 - np.exp(-observed), null))
    assert np.median(tails) == pytest.approx(0.005, rel=0.5)


def test_perfect_evidence_stays_finite_and_none_is_no_evidence():
    assert 0 <= tail_probability(1.0, np.array([0.2, 0.3, 0.4])) < 1e-6
    assert tail_probability(0.0, np.array([0.0, 0.0])) == 1.0
    assert tail_probability(0.5, np.zeros(0)) == 1.0
    assert tail_probability(0.5, np.full(9, 0.5)) == 1.0
    assert tail_probability(0.6, np.full(9, 0.5)) == pytest.approx(0.1)
