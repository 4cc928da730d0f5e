"""Importance, ranking and overlap of neurons, by hand."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.errors import ConfigError
from pipeline_lib.neurons.importance import (
    first_layer,
    importance,
    importance_at,
    top_neurons,
)
from pipeline_lib.neurons.overlap import overlap_table

EFFECTS = np.array([[[1.0, 0.0]], [[3.0, np.nan]]])


def test_importance_is_the_mean_and_counts_nan_as_zero():
    found = importance(EFFECTS, "mean")
    assert found.values.tolist() == [[2.0, 0.0]]
    assert found.n_nan == 1


def test_the_authors_importance_adds_the_unbiased_deviation():
    assert importance(EFFECTS, "mean_plus_std").values.tolist() == [[2.0 + np.sqrt(2.0), 0.0]]


def test_importance_of_no_prompts_is_zero():
    assert importance(np.empty((0, 2, 3)), "mean_plus_std").values.tolist() == [[0.0] * 3] * 2


def test_top_neurons_are_ranked_within_each_late_layer():
    values = np.array([[9.0, 9.0, 9.0], [0.1, 0.3, 0.2], [0.5, 0.5, -1.0]])
    table = top_neurons(values, first_heuristics_layer=1, per_layer=2)
    assert table["layer"].tolist() == [1, 1, 2, 2]
    assert table["neuron"].tolist() == [1, 2, 0, 1]
    assert table["rank"].tolist() == [0, 1, 0, 1]
    assert table["importance"].tolist() == [0.3, 0.2, 0.5, 0.5]


def test_first_layer():
    assert first_layer("half", 5) == 2
    assert first_layer(3, 4) == 3
    with pytest.raises(ConfigError, match="layers 0 to 3"):
        first_layer(4, 4)


def test_overlap_is_intersection_over_union_of_layer_and_neuron():
    add = pd.DataFrame({"layer": [1, 1, 2], "neuron": [5, 6, 5]})
    sub = pd.DataFrame({"layer": [1, 2], "neuron": [5, 6]})
    none = add.iloc[:0]
    table = overlap_table({"add": add, "sub": sub, "mul": none})
    iou = table.set_index(["operator_1", "operator_2"])["iou"]
    assert iou["add", "sub"] == pytest.approx(1 / 4)
    assert iou["add", "add"] == 1
    assert iou["add", "mul"] == 0
    assert np.isnan(iou["mul", "mul"])


def test_importance_before_the_last_position_is_averaged_over_positions():
    mean = np.array([[1.0, 2.0, np.nan], [3.0, -2.0, 6.0]])
    std = np.array([[0.5, 0.0, 1.0], [0.5, 4.0, 0.0]])
    assert importance_at(mean, std, "mean").tolist() == [2.0, 0.0, 3.0]
    assert importance_at(mean, std, "mean_plus_std").tolist() == [2.5, 2.0, 3.0]
