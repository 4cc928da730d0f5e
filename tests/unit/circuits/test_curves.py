"""Which heads and neurons the circuits keep, by hand."""

import numpy as np
import torch

from pipeline_lib.circuits.curves import (
    first_heads,
    places,
    top_neurons_of_late_layers,
    top_neurons_of_mlp0,
)
from pipeline_lib.circuits.ranking import Head
from pipeline_lib.circuits.sizes import log_sizes

RANKED = [Head(1, 0), Head(0, 1), Head(2, 1)]
IMPORTANCE = np.array([[9.0, 1.0, 5.0, 0.0], [0.0, 3.0, 2.0, 1.0], [4.0, 4.0, -1.0, 5.0]])


def test_places_count_from_the_largest_and_ties_go_to_the_lower_index():
    assert places(IMPORTANCE).tolist() == [[0, 2, 1, 3], [3, 0, 1, 2], [1, 2, 3, 0]]


def test_logarithmic_sizes():
    assert log_sizes(1000, 4).tolist() == [0, 1, 10, 100, 1000]
    assert log_sizes(4, 10).tolist() == [0, 1, 2, 3, 4]
    assert log_sizes(1, 3).tolist() == [0, 1]
    sizes = log_sizes(14_336, 20)
    assert (sizes[0], sizes[1], sizes[-1]) == (0, 1, 14_336)
    assert len(sizes) <= 21
    assert (np.diff(sizes) > 0).all()


def test_heads_come_one_by_one_with_all_neurons():
    curve = first_heads(RANKED, range(4), (3, 2), 4)
    assert curve.sizes.tolist() == [0, 1, 2, 3]
    assert [kept.nonzero().tolist() for kept in curve.heads] == [
        [], [[1, 0]], [[0, 1], [1, 0]], [[0, 1], [1, 0], [2, 1]],
    ]  # fmt: skip
    assert curve.neurons.all()


def test_early_mlps_are_whole_and_late_ones_keep_their_top():
    curve = top_neurons_of_late_layers(
        RANKED[:1], 2, IMPORTANCE, np.array([0, 2, 4]), first_late_layer=1
    )
    assert curve.neurons[:, 0].all()
    assert curve.neurons[1, 1:].int().tolist() == [[0, 1, 1, 0], [1, 0, 0, 1]]
    assert not curve.neurons[0, 1:].any()
    assert curve.neurons[2].all()
    for kept in curve.heads:
        assert kept.nonzero().tolist() == [[1, 0]]


def test_first_mlp_grows_while_late_layers_keep_their_share():
    sizes = np.array([0, 1, 3])
    curve = top_neurons_of_mlp0(
        RANKED[:1], 2, IMPORTANCE, np.array([0.0, 1.0, 2.0, 3.0]), sizes,
        first_late_layer=2, late_share=0.3,
    )  # fmt: skip
    assert curve.neurons[:, 0].int().tolist() == [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1]]
    assert curve.neurons[:, 1].all()
    # 30 % of four neurons, rounded up
    assert curve.neurons[:, 2].int().tolist() == [[1, 0, 0, 1]] * 3
    assert torch.equal(curve.heads[0], curve.heads[2])


def test_a_share_is_not_rounded_up_by_its_rounding_error():
    importance = np.zeros((2, 100))
    curve = top_neurons_of_mlp0(
        [], 2, importance, importance[0], np.array([0]), first_late_layer=1, late_share=0.07
    )
    assert int(curve.neurons[0, 1].sum()) == 7
