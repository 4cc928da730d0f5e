"""What figures read."""

import numpy as np
import pytest

from pipeline_lib.artifacts import attention, effects, maps, neuron_effects, numbers
from pipeline_lib.errors import ArtifactError
from pipeline_lib.figures import reading
from pipeline_lib.heuristics import MATCH_COLUMNS


def test_names_written_out_are_those_of_the_rooms_that_write():
    assert reading.EFFECTS_KIND == effects.KIND
    assert reading.ATTRIBUTION_KIND == neuron_effects.ATTRIBUTION
    assert reading.EXACT_KIND == neuron_effects.EXACT
    assert reading.MAPS_KIND == maps.KIND
    assert reading.PATTERNS_KIND == attention.PATTERNS_KIND
    assert reading.PICTURES_KIND == attention.PICTURES_KIND
    assert reading.OV_KIND == numbers.OV_KIND
    assert reading.MLP0_KIND == numbers.MLP0_KIND
    assert reading.KEYS_KIND == numbers.KEYS_KIND
    assert reading.OUTPUTS_KIND == numbers.OUTPUTS_KIND
    assert set(reading.MATCH_COLUMNS) <= set(MATCH_COLUMNS)


def test_files_come_operator_by_operator():
    inputs = {"x": ["a1", "a2", "b1", "b2"], "one": "path"}
    assert reading.per_operator(inputs, "x", ["a", "b"]) == {"a": ["a1", "a2"], "b": ["b1", "b2"]}
    assert reading.paths(inputs["one"]) == ["path"]
    with pytest.raises(ArtifactError, match="as many files"):
        reading.per_operator(inputs, "x", ["a", "b", "c"])


def test_matches_of_one_kind(study):
    path = study("matches", ["add"])[0]
    assert len(reading.read_matches(path, "hybrid")) == 5
    assert reading.read_matches(path, "K")["heuristic"].tolist() == ["op2_value_3"]
    assert reading.read_matches(path, "KV").empty


def test_trivial_matches_come_last(study):
    best = reading.best_first(reading.read_matches(study("matches", ["add"])[0], "hybrid"))
    # 1.0 twice (equal base rates: lower neuron first), .85, .6, then the one without a score
    assert best["heuristic"].tolist() == [
        "op1_range_5_15", "result_mod_2_0", "pair_same", "result_mod_4_0", "op1_range_0_10",
    ]  # fmt: skip


def test_one_neurons_maps(study):
    neuron = reading.read_neuron_map(study("maps", ["add"])[0], 1, 7)
    assert neuron.operator == "add"
    assert neuron.values("K").tolist() == [1.0] * 100
    even = neuron.prompts["answer"].to_numpy() % 2 == 0
    assert np.array_equal(neuron.values("KV"), np.where(even, 1.0, -1.0))
    with pytest.raises(ArtifactError, match="do not hold this neuron"):
        reading.read_neuron_map(study("maps", ["add"])[0], 9, 9)


def test_promoted_numbers_are_ordered():
    assert reading.promoted_numbers(np.array([0.0, 3.0, 1.0, 3.0]), 3) == [1, 3, 2]


def test_finite_mean_leaves_out_what_is_not_a_number():
    assert reading.finite_mean(np.array([[1.0, np.inf], [3.0, 2.0]])).tolist() == [2.0, 2.0]
