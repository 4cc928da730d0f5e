"""Surrogates: the map's values and smoothness, none of its structure."""

import numpy as np
import pytest

from pipeline_lib.heuristics.calibration.surrogates import Surrogates, scales, with_values
from pipeline_lib.heuristics.types import Heuristic

DRAWS = 60


@pytest.fixture(scope="module")
def surrogates(evidence_of):
    return Surrogates.of(evidence_of("add"), np.random.default_rng(0))


def smooth(surrogates, length, rng):
    shares = (np.abs(scales() - length) < 1e-9).astype(float)
    return surrogates.fields(surrogates.noise(1, rng), shares)[0]


def neighbours(surrogates, maps):
    """Correlation of horizontal neighbours."""
    pictures = surrogates.evidence.grid.pictures(maps)
    valid = surrogates.evidence.grid.pictures(np.ones((1, maps.shape[1]), np.float32))[0] > 0
    both = valid[:, 1:] & valid[:, :-1]
    found = [np.corrcoef(p[:, 1:][both], p[:, :-1][both])[0, 1] for p in pictures]
    return np.array(found)


def test_values_are_put_in_the_order_of_the_fields():
    fields = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, -1.0]])
    found = with_values(fields, np.array([10.0, 30.0, 20.0]))
    np.testing.assert_array_equal(found, [[30, 10, 20], [20, 30, 10]])


@pytest.mark.parametrize("length", [0.0, 1.0, 4.0])
def test_surrogates_have_the_maps_values_and_smoothness(surrogates, length, rng):
    values = surrogates.evidence.residuals(smooth(surrogates, length, rng)[None])[0]
    drawn = surrogates.draw(values, surrogates.noise(DRAWS, rng))
    np.testing.assert_array_equal(np.sort(drawn[3]), np.sort(values))
    own = neighbours(surrogates, values[None])[0]
    assert np.median(neighbours(surrogates, drawn)) == pytest.approx(own, abs=0.08)
    assert abs(np.corrcoef(drawn[0], values)[0, 1]) < 0.4
    assert abs(np.corrcoef(drawn[0], drawn[1])[0, 1]) < 0.4


@pytest.mark.parametrize("name", ["op1_mod_2_0", "result_mod_3_1", "op2_pattern_xx3", "pair_same"])
def test_surrogates_of_a_heuristic_do_not_match_it(surrogates, name, rng):
    evidence = surrogates.evidence
    indicator = Heuristic.from_name(name).members(evidence.index.prompts).astype(np.float32)
    left = evidence.residuals(indicator[None])[0]
    drawn = surrogates.draw(left, surrogates.noise(DRAWS, rng))
    row = [heuristic.name for heuristic in evidence.heuristics].index(name)
    found = evidence.correlations(evidence.residuals(drawn))[:, row] ** 2
    assert np.median(found) < 0.05


def test_shares_find_the_length_scale_again(surrogates, rng):
    for length in (0.0, 2.0):
        spectra = [surrogates.spectra(smooth(surrogates, length, rng)[None])[0] for _ in range(20)]
        shares = surrogates.shares(np.mean(spectra, axis=0))
        seen = shares * (surrogates.design.T @ surrogates.modes)  # what the trend leaves of each
        middle = (seen * np.log2(np.maximum(scales(), 0.25))).sum() / seen.sum()
        assert middle == pytest.approx(np.log2(max(length, 0.25)), abs=0.6)
