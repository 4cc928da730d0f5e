"""Spectra and helix fits of made-up residuals, and of made-up maps."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.rivals.candidates import fourier_candidates, number_of
from pipeline_lib.rivals.helix import (
    N_FOLDS,
    component_errors,
    fit_table,
    fold_of,
    held_out_errors,
    helix_basis,
    polynomial_basis,
    random_periods,
)
from pipeline_lib.rivals.map_spectra import map_spectra
from pipeline_lib.rivals.spectra import null_spectra, number_spectrum
from pipeline_lib.rivals.waves import frequencies
from pipeline_lib.rng import generator
from pipeline_lib.stimuli.arithmetic import valid_prompts

PERIODS = (2, 5, 10, 100)
NUMBERS = np.arange(200)


def helix(numbers, periods=PERIODS, d_model=12, noise=0.0, seed=0):
    """Residuals on a helix in random directions, far from the origin."""
    rng = np.random.default_rng(seed)
    basis = helix_basis(numbers, periods)
    states = basis @ rng.normal(size=(basis.shape[1], d_model)) + 3.0
    return states + noise * rng.normal(size=states.shape)


def test_spectrum_of_a_whole_grid_is_the_transform_after_the_trend():
    rng = np.random.default_rng(0)
    numbers = np.arange(101)  # odd, and every frequency of the transform
    states = rng.normal(size=(101, 4)) + 0.3 * numbers[:, None]
    line = np.polynomial.polynomial.polyfit(numbers, states, 1)
    left = states - np.polynomial.polynomial.polyval(numbers, line).T
    power = (np.abs(np.fft.rfft(left, axis=0)[1:]) ** 2).sum(axis=1)
    found = number_spectrum(states, numbers, np.arange(1, 51) / 101)
    # least squares also give a mode what of it the trend took along: little, but for the slowest
    np.testing.assert_allclose(found[3:], (power / power.sum())[3:], rtol=0.08)
    assert found.sum() == pytest.approx(1.0, abs=0.05)


def test_spectrum_finds_the_periods_also_where_numbers_are_missing():
    numbers = np.setdiff1d(NUMBERS, np.arange(3, 200, 7))
    found = frequencies(200, PERIODS)
    spectrum = number_spectrum(helix(numbers, (5, 8)), numbers, found)
    strongest = 1 / found[np.argsort(-spectrum)[:2]]
    assert sorted(strongest.round(6)) == [5, 8]
    null = null_spectra(helix(numbers, (5, 8)), numbers, found, generator(0), 30)
    assert null.shape == (30, len(found))
    assert null.max() < 0.5 * np.sort(spectrum)[-2]
    # shuffled numbers have no period: two of the 170 dimensions each
    assert null.mean() == pytest.approx(2 / (len(numbers) - 2), rel=0.05)


def test_a_line_has_no_spectrum():
    line = np.multiply.outer(NUMBERS, [1.0, -2.0])
    assert np.isnan(number_spectrum(line, NUMBERS, np.array([0.1]))).all()
    assert np.isnan(number_spectrum(line[:1], NUMBERS[:1], np.array([0.1]))).all()


@pytest.mark.parametrize("operator", ["add", "sub", "mul", "div"])
def test_map_spectra_are_shares_of_what_the_trend_leaves(operator):
    prompts = valid_prompts(operator, min_operand=0, max_operand=30, max_number=99)
    modes, candidates = fourier_candidates(operator, prompts, PERIODS, np.arange(len(prompts)))
    total = number_of(prompts, "sum")
    a = prompts["a"].to_numpy(np.float64)
    maps = np.stack([np.cos(2 * np.pi * total / 5), np.cos(2 * np.pi * total / 5) + a, 0 * a + 2])
    shares = map_spectra(maps, prompts, candidates)
    names = [mode.name for mode in modes]
    place = names.index("sum_period_5")
    np.testing.assert_allclose(shares[:2, place], 1.0)
    assert (shares[:2].argmax(axis=1) == place).all()
    assert np.isnan(shares[2]).all()
    other = names.index("op1_period_3")
    wave = 2 * np.pi * a / 3
    design = np.stack([np.ones(len(a)), a, prompts["b"].to_numpy(float)], axis=1)
    both = np.concatenate([design, np.cos(wave)[:, None], np.sin(wave)[:, None]], axis=1)
    left, less = (maps[0] - x @ np.linalg.lstsq(x, maps[0])[0] for x in (design, both))
    assert shares[0, other] == pytest.approx(1 - (less**2).sum() / (left**2).sum(), abs=1e-9)


def test_noise_has_two_of_the_dimensions_of_a_map():
    prompts = valid_prompts("add", min_operand=0, max_operand=20, max_number=99)
    _, candidates = fourier_candidates("add", prompts, PERIODS, np.arange(len(prompts)))
    noise = np.random.default_rng(0).normal(size=(300, len(prompts)))
    both = [c for c, name in enumerate(candidates.names) if not name.endswith("_2")]
    mean = map_spectra(noise, prompts, candidates)[:, both].mean()
    assert mean == pytest.approx(2 / (len(prompts) - 3), rel=0.05)


def test_basis_has_a_line_and_a_circle_for_each_period():
    basis = helix_basis(NUMBERS, PERIODS)
    assert basis.shape == (200, 1 + 1 + 2 + 2 + 2)  # no sine of period 2
    expected = [NUMBERS, (-1.0) ** NUMBERS]
    for period in (5, 10, 100):
        expected += [np.cos(2 * np.pi * NUMBERS / period), np.sin(2 * np.pi * NUMBERS / period)]
    for column, other in zip(basis.T, expected, strict=True):
        assert np.corrcoef(column, other)[0, 1] == pytest.approx(1.0)
    np.testing.assert_allclose(basis.std(axis=0), 1.0)
    assert polynomial_basis(NUMBERS, 8).shape == basis.shape


def fits(states, numbers=NUMBERS, n_draws=20):
    table = fit_table(states, numbers, PERIODS, n_draws=n_draws, rng=generator(0))
    return table.set_index("fit")


def test_a_helix_is_one():
    found = fits(helix(NUMBERS, noise=0.3))
    helical = found.loc["helix"]
    assert helical["explained"] > 0.95
    assert helical["low"] < helical["explained"] < helical["high"]
    assert helical["parameters"] == 8
    others = found.loc[["line", "polynomial", "other_periods"], "explained"]
    assert (others < 0.6).all()
    assert found.loc["components", "explained"] > 0.95  # a helix fills its subspace
    assert found.loc["shuffled", "high"] < 0.05


def test_a_smooth_curve_is_none():
    curve = polynomial_basis(NUMBERS, 6) @ np.random.default_rng(0).normal(size=(6, 12))
    found = fits(curve)
    assert found.loc["polynomial", "explained"] > 0.99
    assert found.loc["helix", "explained"] < 0.8


def test_noise_is_nothing():
    found = fits(np.random.default_rng(0).normal(size=(200, 12)))
    fitted = found.drop("components")
    assert (fitted["explained"] < 0.05).all()


def test_too_few_numbers_are_not_fitted():
    assert fits(helix(NUMBERS[:17]), NUMBERS[:17]).empty
    assert len(fits(helix(NUMBERS[:18]), NUMBERS[:18])) == 6


def test_errors_are_of_numbers_that_the_fit_has_not_seen():
    states, basis = helix(NUMBERS[:40], noise=0.5), helix_basis(NUMBERS[:40], PERIODS)
    fold = fold_of(40, generator(0))
    assert np.bincount(fold).tolist() == [8] * N_FOLDS
    test = fold == 2
    design = np.concatenate([np.ones((40, 1)), basis], axis=1)
    weight = np.linalg.lstsq(design[~test], states[~test])[0]
    expected = ((states[test] - design[test] @ weight) ** 2).sum(axis=1)
    np.testing.assert_allclose(held_out_errors(basis, states, fold)[test], expected, rtol=1e-6)
    centred = states[~test] - states[~test].mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    rest = vectors[:, np.argsort(-values)[3:]]
    expected = (((states[test] - states[~test].mean(axis=0)) @ rest) ** 2).sum(axis=1)
    np.testing.assert_allclose(component_errors(states, fold, 3)[test], expected)


def test_random_periods_lie_in_the_span():
    found = random_periods(300, 1000, generator(0))
    assert found.min() >= 2
    assert found.max() <= 300
    assert np.median(found) == pytest.approx(np.sqrt(2 * 300), rel=0.15)


def test_frequencies_of_no_numbers_are_none():
    assert len(frequencies(1, PERIODS)) == 0
    assert pd.Series(frequencies(4, PERIODS)).tolist() == [0.25, 0.5]
