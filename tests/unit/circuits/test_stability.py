"""Stability of top sets: expected overlaps by enumeration, resamples by drawing them."""

from itertools import combinations, product

import numpy as np
import pytest

from pipeline_lib.circuits.stability import expected_jaccard, top_overlaps


@pytest.mark.parametrize("groups", [[(5, 2)], [(4, 3), (3, 1)], [(3, 0), (4, 2)], [(3, 3)]])
def test_expected_jaccard_is_that_of_all_pairs_of_sets(groups):
    every = [[set(c) for c in combinations(range(n), k)] for n, k in groups]
    sets = [{(g, i) for g, part in enumerate(parts) for i in part} for parts in product(*every)]
    found = [len(a & b) / len(a | b) for a in sets for b in sets]
    assert expected_jaccard(groups) == pytest.approx(np.mean(found))


def test_empty_sets_have_no_overlap():
    assert np.isnan(expected_jaccard([(4, 0)]))
    found = top_overlaps(np.ones((1, 3, 4)), 0, "mean", np.random.default_rng(0), n=6)
    assert np.isnan(found.jaccard()[0]).all()


def test_a_clear_order_is_always_the_same():
    effects = np.random.default_rng(0).normal(size=(2, 20, 6)) + 100 * np.arange(6)
    full, pairs = top_overlaps(effects, 2, "mean", np.random.default_rng(0), n=40).jaccard()
    assert (full == 1).all()
    assert (pairs == 1).all()
    assert (len(full), len(pairs)) == (40, 20)


@pytest.mark.parametrize("rule", ["mean", "mean_plus_std"])
def test_overlaps_are_those_of_drawn_seeds_and_prompts(rule):
    effects = np.random.default_rng(1).normal(0.3, 1.0, size=(3, 15, 8))
    found = top_overlaps(effects, 3, rule, np.random.default_rng(0), n=4000)
    rng = np.random.default_rng(5)

    def top(values):
        flat = values.reshape(-1, 8)
        score = flat.mean(0) + (flat.std(0) if rule == "mean_plus_std" else 0)
        return set(np.argsort(-score)[:3])

    whole = top(effects)
    tops = [
        top(effects[rng.integers(3, size=3)][:, rng.integers(15, size=15)]) for _ in range(2000)
    ]
    shares = [len(each & whole) for each in tops]
    assert found.full.mean() == pytest.approx(np.mean(shares), abs=0.08)
    pairs = [len(a & b) for a, b in zip(tops[:1000], tops[1000:], strict=True)]
    assert found.pairs.mean() == pytest.approx(np.mean(pairs), abs=0.08)


def test_layers_add_up_to_one_set():
    effects = np.random.default_rng(2).normal(size=(1, 10, 9))
    parts = [
        top_overlaps(effects[..., rows], k, "mean", np.random.default_rng(0), n=30)
        for rows, k in ((slice(0, 4), 1), (slice(4, 9), 2))
    ]
    both = parts[0] + parts[1]
    assert both.size == 3
    assert both.groups == ((4, 1), (5, 2))
    shared = parts[0].full + parts[1].full
    assert both.jaccard()[0] == pytest.approx(shared / (6 - shared))


def test_values_that_are_not_finite_count_as_nothing():
    effects = np.zeros((1, 4, 3))
    effects[..., 1], effects[..., 2] = 1.0, np.inf
    found = top_overlaps(effects, 1, "mean", np.random.default_rng(0), n=10)
    assert (found.full == 1).all()
