import numpy as np
import pytest

from pipeline_lib.measures.effects import indirect_effect, log_odds_change


def test_indirect_effect_by_hand():
    # P(r) .5 -> .4, P(r') .1 -> .3: 1/2 [ (.3 - .1) / .1 + (.5 - .4) / .4 ] = 1/2 (2 + .25)
    effect = indirect_effect(*np.log([0.5, 0.1, 0.4, 0.3]))
    assert effect == pytest.approx(1.125, rel=1e-12)


def test_no_change_is_exactly_zero():
    logp = np.log(np.array([0.3, 1e-30]))
    assert np.array_equal(indirect_effect(logp, logp, logp, logp), np.zeros(2))


def test_small_changes_are_not_lost():
    # P(r) close to 1 in steps below the resolution of float32 probabilities
    effect = indirect_effect(*np.array([-1e-9, -25.0, -3e-9, -25.0]))
    assert effect == pytest.approx(1e-9, rel=1e-6)


def test_shapes_broadcast_and_float32_is_widened():
    clean = np.log(np.full((4, 1), 0.5, dtype=np.float32))
    patched = np.log(np.full((4, 3), 0.25, dtype=np.float32))
    effect = indirect_effect(clean, clean, patched, patched)
    assert effect.shape == (4, 3)
    assert effect.dtype == np.float64
    assert effect == pytest.approx(0.5 * (-0.5 + 1.0))


def test_overflow_is_infinite_without_a_warning():
    assert np.isposinf(indirect_effect(*np.array([0.0, -800.0, 0.0, 0.0])))


def test_log_odds_change_by_hand():
    change = log_odds_change(*np.log([0.5, 0.1, 0.4, 0.3]))
    assert change == pytest.approx(np.log((0.4 / 0.3) / (0.5 / 0.1)), rel=1e-12)
    assert change < 0
