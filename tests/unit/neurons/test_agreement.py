"""Agreement of estimates with exact effects, against numpy and by hand."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.neurons.agreement import (
    EVERY_LAYER,
    agreement,
    midranks,
    pearson,
    places,
    spearman,
    top_overlap,
)

ONES = np.ones(40)


def test_without_weights_it_is_the_correlation():
    x, y = np.random.default_rng(0).normal(size=(2, 40))
    y = y + x
    assert pearson(x, y, ONES) == pytest.approx(np.corrcoef(x, y)[0, 1])
    ranks = [np.argsort(np.argsort(v)) for v in (x, y)]
    assert spearman(x, y, ONES) == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert spearman(np.exp(3 * x), y**3, ONES) == pytest.approx(spearman(x, y, ONES))


def test_a_weight_of_three_is_the_neuron_thrice():
    rng = np.random.default_rng(1)
    x, y, times = rng.normal(size=20), rng.normal(size=20), rng.integers(1, 4, size=20)
    thrice = [np.repeat(values, times) for values in (x, y)]
    for measure in (pearson, spearman):
        expected = measure(*thrice, np.ones(times.sum()))
        assert measure(x, y, times.astype(float)) == pytest.approx(expected)


def test_equal_values_share_the_middle_of_their_ranks():
    values = np.array([[3.0, 1.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    found = midranks(values, np.ones(4))
    # four places of width 1: 0.5, 1.5, 2.5, 3.5
    assert found.tolist() == [[3.0, 0.5, 3.0, 1.5], [2.0] * 4]
    assert midranks(values[0], np.array([1.0, 2.0, 1.0, 4.0])).tolist() == [7.0, 1.0, 7.0, 4.0]


def test_a_constant_correlates_with_nothing():
    assert np.isnan(pearson(np.zeros(40), np.arange(40.0), ONES))


def test_overlap_by_hand():
    x, y = np.array([5.0, 1.0, 4.0, 3.0]), np.array([0.0, 3.0, 2.0, 2.0])
    assert places(x).tolist() == [0, 3, 1, 2]
    assert places(y).tolist() == [3, 0, 1, 2]
    # the first two of x are neurons 0 and 2, of y 1 and 2
    assert top_overlap(places(x), places(y), 2) == 0.5
    assert top_overlap(places(x), places(y), 1) == 0.0


@pytest.fixture(scope="module")
def study():
    """Two seeds of thirty prompts, two layers of 14 and 12 neurons."""
    rng = np.random.default_rng(2)
    truth = rng.normal(size=26)
    exact = truth + rng.normal(size=(2, 30, 26))
    estimate = truth + rng.normal(size=(2, 30, 26))
    layers, weights = np.repeat([3, 5], [14, 12]), rng.uniform(1, 3, size=26)
    return exact, estimate, layers, weights


def test_every_number_is_that_of_the_mean_effects(study):
    exact, estimate, layers, weights = study
    found = agreement(*study, np.random.default_rng(0), n=50).set_index(["measure", "layer", "k"])
    x, y = (values.mean(axis=(0, 1)) for values in (exact, estimate))
    cells = {EVERY_LAYER: np.ones(26, dtype=bool), 3: layers == 3, 5: layers == 5}
    for layer, rows in cells.items():
        for name, measure in (("pearson", pearson), ("spearman", spearman)):
            row = found.loc[(name, layer, 0)]
            assert row["value"] == pytest.approx(float(measure(x[rows], y[rows], weights[rows])))
            assert row["low"] < row["high"]
            assert row["chance"] == 0
            assert row["n_neurons"] == rows.sum()
    shared = []
    for layer in (3, 5):
        tops = [set(np.argsort(-values[layers == layer])[:10]) for values in (x, y)]
        shared.append(len(tops[0] & tops[1]) / 10)
        assert found.loc[("overlap", layer, 10), "value"] == shared[-1]
        assert found.loc[("overlap", layer, 10), "chance"] == 10 / (layers == layer).sum()
    every = found.loc[("overlap", EVERY_LAYER, 10)]
    assert every["value"] == pytest.approx(np.mean(shared))
    assert every["chance"] == pytest.approx((10 / 14 + 10 / 12) / 2)
    assert {k for measure, _, k in found.index if measure == "overlap"} == {10}


def test_intervals_resample_seeds_and_prompts_together_for_both(study):
    exact, estimate, _, weights = study
    found = agreement(*study, np.random.default_rng(7), n=400).set_index(["measure", "layer", "k"])
    rng, drawn = np.random.default_rng(8), []
    for _ in range(400):
        seeds, prompts = rng.integers(2, size=2), rng.integers(30, size=30)
        x, y = (v[seeds][:, prompts].mean(axis=(0, 1)) for v in (exact, estimate))
        drawn.append(float(spearman(x, y, weights)))
    row = found.loc[("spearman", EVERY_LAYER, 0)]
    assert [row["low"], row["high"]] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.02)


def test_the_cut_into_blocks_does_not_matter(study, monkeypatch):
    whole = agreement(*study, np.random.default_rng(0), n=60)
    monkeypatch.setattr("pipeline_lib.neurons.agreement.BLOCK_VALUES", 7 * 26)
    cut = agreement(*study, np.random.default_rng(0), n=60)
    pd.testing.assert_frame_equal(cut, whole, rtol=1e-9)


def test_no_prompts_no_rows(study):
    nothing = (values[:, :0] for values in study[:2])
    assert agreement(*nothing, *study[2:], np.random.default_rng(0)).empty
