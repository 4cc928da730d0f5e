"""Intervals, against numbers known from elsewhere."""

from itertools import combinations

import numpy as np
import pytest

from pipeline_lib.stats import (
    benjamini_hochberg,
    bootstrap_mean_interval,
    bootstrap_ratio_interval,
    flips_for,
    nested_mean_interval,
    nested_means,
    nested_weights,
    permutation_p_value,
    rank_correlation,
    rank_correlation_test,
    resampled_means,
    sign_flip_p_values,
    wilson_interval,
)


def test_interval_of_equal_values_is_the_value():
    low, high = bootstrap_mean_interval(np.full(7, 0.25), np.random.default_rng(0))
    assert (float(low), float(high)) == pytest.approx((0.25, 0.25))


def test_interval_of_a_coin_is_that_of_the_normal_approximation():
    values = np.tile([0.0, 1.0], 200)
    low, high = bootstrap_mean_interval(values, np.random.default_rng(1), n=20_000)
    half = 1.96 * 0.5 / np.sqrt(400)
    assert [float(low), float(high)] == pytest.approx([0.5 - half, 0.5 + half], abs=0.003)


def test_every_cell_has_its_own_interval():
    values = np.stack([np.arange(50.0), np.zeros(50)], axis=1)
    low, high = bootstrap_mean_interval(values, np.random.default_rng(2))
    assert low.shape == high.shape == (2,)
    assert low[0] < 24.5 < high[0]
    assert (low[1], high[1]) == (0.0, 0.0)


def test_the_same_generator_gives_the_same_interval():
    values = np.arange(9.0)
    ends = [bootstrap_mean_interval(values, np.random.default_rng(3)) for _ in range(2)]
    assert ends[0] == ends[1]
    assert ends[0] != bootstrap_mean_interval(values, np.random.default_rng(4))


def test_no_samples_give_nan():
    low, high = bootstrap_mean_interval(np.empty((0, 3)), np.random.default_rng(0))
    assert np.isnan(low).all()
    assert np.isnan(high).all()
    assert low.shape == (3,)


def test_ratio_interval_of_clusters_is_wider_than_that_of_single_things():
    rng = np.random.default_rng(0)
    whole = np.full(40, 5.0)
    clustered = np.repeat([0.0, 5.0], 20)  # each cluster agrees with itself
    spread = np.tile([2.0, 3.0], 20)
    for part in (clustered, spread):
        low, high = bootstrap_ratio_interval(part, whole, rng)
        # the ratio is a mean of 40 ratios: normal approximation
        half = 1.96 * (part / whole).std() / np.sqrt(40)
        assert (low, high) == pytest.approx((0.5 - half, 0.5 + half), abs=0.03)


def test_ratio_interval_weighs_clusters_by_their_size():
    part, whole = np.array([9.0, 0.0]), np.array([9.0, 1.0])
    low, high = bootstrap_ratio_interval(part, whole, np.random.default_rng(0), n=400)
    assert (low, high) == (0.0, 1.0)
    even = bootstrap_ratio_interval(whole / 2, whole, np.random.default_rng(0))
    assert even == pytest.approx((0.5, 0.5))
    for nothing in (np.zeros(0), np.zeros(3)):
        assert np.isnan(bootstrap_ratio_interval(nothing, nothing, np.random.default_rng(0))).all()


def test_wilson_interval_of_wilsons_textbook_cases():
    # 10 of 10: lower end n / (n + z^2); 5 of 10: published as 0.2366 to 0.7634
    low, high = wilson_interval(np.array([1.0, 0.5]), np.array([10, 10]))
    assert low == pytest.approx([10 / (10 + 1.959964**2), 0.23659], abs=1e-5)
    assert high == pytest.approx([1.0, 0.76341], abs=1e-5)


def test_resampled_means_share_their_draws():
    values = np.stack([np.arange(30.0), 2 * np.arange(30.0) + 1], axis=1)
    means = resampled_means(values, np.random.default_rng(5), n=100)
    assert means.shape == (100, 2)
    assert means[:, 1] == pytest.approx(2 * means[:, 0] + 1)
    assert means[:, 0].std() == pytest.approx(values[:, 0].std() / np.sqrt(30), rel=0.3)


def test_nothing_can_be_resampled_from_nothing():
    with pytest.raises(ValueError, match="empty"):
        resampled_means(np.empty((0, 2)), np.random.default_rng(0))


def test_permutation_p_value_is_that_of_all_splits():
    first, second = np.array([1.0, 2.0, 3.5, 9.0]), np.array([0.0, 1.5, 2.5])
    values = np.concatenate([first, second])
    splits = [list(split) for split in combinations(range(7), 4)]
    means = [values[s].mean() - np.delete(values, s).mean() for s in splits]
    exact = np.mean(np.abs(means) >= abs(first.mean() - second.mean()) - 1e-12)
    found = permutation_p_value(first, second, np.random.default_rng(0), n=20_000)
    assert found == pytest.approx(exact, abs=0.015)
    swapped = permutation_p_value(second, first, np.random.default_rng(0), n=20_000)
    assert swapped == pytest.approx(exact, abs=0.015)


def test_permutation_p_value_is_never_zero_and_needs_both_groups():
    far = permutation_p_value(np.zeros(20), np.ones(20), np.random.default_rng(0), n=99)
    assert far == 0.01
    assert np.isnan(permutation_p_value(np.zeros(0), np.ones(3), np.random.default_rng(0)))


def test_benjamini_hochberg_of_the_papers_example():
    # Benjamini and Hochberg 1995, section 3.2: 15 ordered p-values, the first four rejected at 5 %
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262]
    p += [0.5719, 0.6528, 0.7590, 1.0000]
    q = benjamini_hochberg(np.array(p))
    assert (q <= 0.05).sum() == 4
    assert q[:4] == pytest.approx([0.0015, 0.0030, 0.0095, 0.035625])
    # 0.0278 x 15 / 6 lies above 0.0298 x 15 / 7, so the sixth takes the seventh's
    assert q[4] == pytest.approx(0.0201 * 15 / 5)
    assert q[5:7] == pytest.approx([0.0298 * 15 / 7] * 2)


def test_benjamini_hochberg_of_numbers_worked_out_by_hand():
    p = np.array([[0.04, 0.01], [0.03, 0.5]])
    # ordered 0.01 0.03 0.04 0.5, times 4 / rank: 0.04 0.06 0.0533 0.5, running minimum from above
    assert benjamini_hochberg(p) == pytest.approx(np.array([[4 / 75, 0.04], [4 / 75, 0.5]]))


def test_benjamini_hochberg_ties_nothing_and_nan():
    assert benjamini_hochberg(np.full(5, 0.3)) == pytest.approx(np.full(5, 0.3))
    assert benjamini_hochberg(np.empty(0)).shape == (0,)
    q = benjamini_hochberg(np.array([np.nan, 0.02, 0.5]))
    assert np.isnan(q[0])
    assert q[1:] == pytest.approx([0.04, 0.5])  # two tests, not three


def test_benjamini_hochberg_finds_as_few_as_it_says_where_nothing_is_there():
    rng = np.random.default_rng(0)
    families = [benjamini_hochberg(rng.uniform(size=20)) <= 0.1 for _ in range(2000)]
    # under the global null the false discovery rate is the share of families with any discovery
    assert np.mean([family.any() for family in families]) == pytest.approx(0.1, abs=0.02)


def test_with_one_seed_the_nested_bootstrap_is_the_plain_one():
    values = np.random.default_rng(0).normal(size=(40, 3))
    nested = nested_mean_interval(values[None], np.random.default_rng(1), n=20_000)
    plain = bootstrap_mean_interval(values, np.random.default_rng(2), n=20_000)
    assert np.array(nested) == pytest.approx(np.array(plain), abs=0.01)


def test_seeds_of_the_same_prompts_do_not_count_as_more_prompts():
    prompts = np.random.default_rng(0).normal(size=30)
    once, ten = prompts[None], np.tile(prompts, (10, 1))
    widths = [
        np.subtract(*nested_mean_interval(values, np.random.default_rng(1), n=20_000)[::-1])
        for values in (once, ten)
    ]
    assert widths[1] == pytest.approx(widths[0], rel=0.03)
    flat = np.subtract(*bootstrap_mean_interval(ten.ravel(), np.random.default_rng(1))[::-1])
    assert flat == pytest.approx(widths[0] / np.sqrt(10), rel=0.1)


def test_the_nested_bootstrap_covers_a_mean_that_seeds_and_prompts_decide():
    """Effects of seeds and of prompts add up: the interval is right in 95 % of repetitions."""
    rng, covered = np.random.default_rng(0), []
    for _ in range(300):
        seeds, prompts = rng.normal(size=(12, 1)), rng.normal(size=(1, 40))
        low, high = nested_mean_interval(seeds + prompts, rng, n=400)
        covered.append(low < 0 < high)
    # 12 seeds: a percentile interval is a little too narrow for a dozen
    assert 0.88 < np.mean(covered) <= 0.97


def test_nested_means_leave_out_what_is_not_finite():
    values = np.array([[1.0, np.inf], [np.nan, np.nan]])
    means = nested_means(values, np.random.default_rng(0), n=500)
    assert set(means[~np.isnan(means)]) == {1.0}
    assert np.isnan(means).any()
    assert nested_mean_interval(values, np.random.default_rng(0)) == (1.0, 1.0)


def test_nested_weights_add_up_and_keep_a_sample_under_all_its_seeds():
    weights = nested_weights(3, 5, np.random.default_rng(0), n=50)
    assert weights.shape == (50, 3, 5)
    assert weights.sum(axis=(1, 2)) == pytest.approx(1.0)
    for drawn in weights:
        assert drawn == pytest.approx(np.outer(drawn.sum(axis=1), drawn.sum(axis=0)))


def test_nothing_has_no_nested_interval():
    low, high = nested_mean_interval(np.empty((2, 0, 4)), np.random.default_rng(0))
    assert np.isnan([low, high]).all()
    with pytest.raises(ValueError, match="empty"):
        nested_means(np.empty((0, 3)), np.random.default_rng(0))


def test_sign_flips_of_numbers_worked_out_by_hand():
    # sums of +-1 +-2 +-4: 7 5 3 1 and their negatives; at least 5: 4 of 8
    values = np.array([[1.0, 1.0], [2.0, -2.0], [-4.0, 4.0]])
    found = sign_flip_p_values(np.abs(values), np.random.default_rng(0))
    assert found.tolist() == [0.25, 0.25]
    assert sign_flip_p_values(values, np.random.default_rng(0)).tolist() == [1.0, 0.75]


def test_random_sign_flips_agree_with_all_of_them():
    values = np.random.default_rng(3).normal(0.4, 1.0, size=(11, 6))
    every = sign_flip_p_values(values, np.random.default_rng(0), n=2**11)
    some = sign_flip_p_values(values, np.random.default_rng(0), n=2**11 - 1)
    assert some == pytest.approx(every, abs=0.04)
    assert len(set(every)) == 6
    assert (every != some).any()


def test_sign_flips_of_nothing_and_of_zeros():
    rng = np.random.default_rng(0)
    assert np.isnan(sign_flip_p_values(np.empty((0, 2)), rng)).all()
    zeros = np.zeros((50, 2))
    assert sign_flip_p_values(zeros, rng).tolist() == [1.0, 1.0]
    zeros[0] = np.nan
    assert sign_flip_p_values(zeros, rng, n=99).tolist() == [1.0, 1.0]
    assert sign_flip_p_values(np.ones((50, 1)), rng, n=99).tolist() == [0.01]


def test_sign_flip_p_values_are_uniform_where_nothing_is_there():
    values = np.random.default_rng(1).laplace(size=(40, 2000))
    p = sign_flip_p_values(values, np.random.default_rng(0), n=999)
    assert [np.mean(p <= level) for level in (0.05, 0.5)] == pytest.approx([0.05, 0.5], abs=0.03)


def test_enough_flips_for_one_discovery_among_many_tests():
    assert flips_for(10) == 9_999
    assert flips_for(10**7) == 99_999
    assert 1000 / (1 + flips_for(1000)) <= 0.05


def test_rank_correlation_by_hand():
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    # 1 - 6 sum(d^2) / (n (n^2 - 1)) with d = (0, 0, 1, 1, 0)
    y = np.array([10.0, 20.0, 90.0, 30.0, 1000.0])
    assert rank_correlation(x, y) == pytest.approx(1 - 6 * 2 / 120)
    assert rank_correlation(x, -x) == pytest.approx(-1)
    # ties share their mean rank: ranks 1.5, 1.5, 3, 4, 5
    tied = np.array([0.0, 0.0, 1.0, 2.0, 3.0])
    expected = np.corrcoef([1.5, 1.5, 3, 4, 5], x)[0, 1]
    assert rank_correlation(tied, x) == pytest.approx(expected)
    both = rank_correlation(np.stack([x, -x]), np.stack([y, y]))
    np.testing.assert_allclose(both, [0.9, -0.9])


def test_rank_correlation_of_a_constant_side_is_undefined():
    x = np.arange(4.0)
    assert np.isnan(rank_correlation(x, np.zeros(4)))
    found = rank_correlation_test(x, np.zeros(4), np.random.default_rng(0))
    assert np.isnan(found).all()


def test_rank_correlation_is_tested_by_permutation():
    rng = np.random.default_rng(0)
    x = np.arange(6.0)
    rho, low, high, p = rank_correlation_test(x, x, rng, 20_000)
    assert (rho, high) == (pytest.approx(1), pytest.approx(1))
    assert low <= rho
    # 2 of the 720 orders are as far from 0
    assert p == pytest.approx(2 / 720, rel=0.3)
    independent = [
        rank_correlation_test(rng.normal(size=8), rng.normal(size=8), rng, 500)[3]
        for _ in range(200)
    ]
    assert 0.01 < np.mean(np.array(independent) < 0.05) < 0.11
