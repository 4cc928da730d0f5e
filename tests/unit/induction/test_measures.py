import numpy as np
import pytest

from pipeline_lib.induction.measures import absolute_error, drift, p_x, predictive

PUBLISHED = np.array([0.058024, 0.325434, 0.442396])


def test_p_x_is_normalised_over_the_two_symbols():
    logits = np.log([[3.0, 1.0], [1.0, 1.0], [1e-300, 1.0]])
    np.testing.assert_allclose(p_x(logits), [0.75, 0.5, 1e-300], rtol=1e-12)
    assert p_x(np.array([[-2000.0, 0.0]]))[0] == 0.0


def test_drift_and_error_of_the_published_probabilities():
    assert drift(PUBLISHED) == pytest.approx(0.3843714, abs=2e-6)
    assert absolute_error(PUBLISHED, 0.5) == pytest.approx(0.2247153, abs=2e-6)


def test_drift_and_error_are_apart():
    moved = np.full(4, 0.68)
    assert drift(moved) == 0
    assert absolute_error(moved, 0.5) == pytest.approx(0.18)


def test_a_counter_adds_one_to_each_side():
    found = predictive(np.array([3, 4, 0]), np.array([3, 2, 0]))
    np.testing.assert_allclose(found, [1 / 2, 5 / 8, 1 / 2])
