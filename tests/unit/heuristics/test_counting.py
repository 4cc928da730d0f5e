import numpy as np
import pytest

from pipeline_lib.heuristics.counting import Ranking
from pipeline_lib.rng import generator


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ranking_orders_all_kinds_of_numbers(dtype):
    values = [0.0, -0.0, 1e-42, -1e-42, 3.5, -3.5, 3e38, -3e38, 1.0, -1.0]
    activations = generator(0, "ranking").permutation(np.array(values, dtype=dtype))
    ranking = Ranking.of(activations)
    assert activations[ranking.order].tolist() == sorted(activations.tolist(), reverse=True)
    assert ranking.rank[ranking.order].tolist() == list(range(10))
    # only 0 and -0 are equal: one group starts a rank later
    assert ranking.group_start.tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9]


def test_ranking_of_random_maps_is_that_of_a_stable_sort():
    activations = generator(1, "ranking").standard_normal(5000).astype(np.float32)
    expected = np.argsort(-activations, kind="stable")
    assert (Ranking.of(activations).order == expected).all()


def test_tie_groups_from_both_ends():
    ranking = Ranking.of(np.array([5.0, 7.0, 5.0, 1.0, 5.0], dtype=np.float32))
    depths = np.array([1, 2, 4, 5])
    first, stop = ranking.tie_group(depths)
    assert first.tolist() == [0, 1, 1, 4]
    assert stop.tolist() == [1, 4, 4, 5]
    first, stop = ranking.reversed().tie_group(depths)
    assert first.tolist() == [0, 1, 1, 4]
    assert stop.tolist() == [1, 4, 4, 5]
    reverse = Ranking.of(np.array([5.0, 7.0, 7.0, 1.0], dtype=np.float32)).reversed()
    assert reverse.order.tolist()[:2] == [3, 0]
    assert reverse.group_start.tolist() == [0, 1, 2]
    assert reverse.rank.tolist()[3] == 0
