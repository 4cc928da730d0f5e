"""Activations of single prompts out of a map artifact."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib import store
from pipeline_lib.artifacts.map_writing import write_maps
from pipeline_lib.artifacts.maps import read_activations_of, read_norms
from pipeline_lib.errors import ArtifactError
from pipeline_lib.interventions.capture import predict_tokens
from pipeline_lib.stimuli.arithmetic import valid_prompts


@pytest.fixture
def maps(tmp_path):
    path = tmp_path / "maps.h5"
    arrays = {
        "layer": store.Array(np.array([1, 2]), ("neuron",)),
        "neuron": store.Array(np.array([5, 3]), ("neuron",)),
        "a": store.Array(np.array([0, 0, 1]), ("prompt",)),
        "b": store.Array(np.array([0, 1, 1]), ("prompt",)),
        "k_map": store.Array(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), ("neuron", "prompt")),
    }
    store.write_artifact(path, "maps", arrays, coords={}, provenance={})
    with store.open_artifact(path, "maps") as artifact:
        yield artifact


def test_activations_in_the_order_of_the_prompts(maps):
    prompts = pd.DataFrame({"a": [1, 0, 1], "b": [1, 0, 1]}, index=[7, 8, 9])
    assert read_activations_of(maps, prompts).tolist() == [[3, 1, 3], [6, 4, 6]]
    assert read_activations_of(maps, prompts[:0]).shape == (2, 0)


def test_norms_are_root_mean_squares(maps):
    table = read_norms(maps)
    assert table[["layer", "neuron"]].to_numpy().tolist() == [[1, 5], [2, 3]]
    assert table["norm"].tolist() == pytest.approx([(14 / 3) ** 0.5, (77 / 3) ** 0.5])


def test_a_prompt_that_is_not_there(maps):
    with pytest.raises(ArtifactError, match="do not hold a prompt"):
        read_activations_of(maps, pd.DataFrame({"a": [1], "b": [0]}))


@pytest.mark.parametrize("n_neurons", [3, 0])
def test_writing_maps_tells_what_the_model_answers(llama_model, number_tokens, tmp_path, n_neurons):
    prompts = valid_prompts("sub", min_operand=0, max_operand=40, max_number=99)
    neurons = pd.DataFrame({"layer": [1, 2, 2], "neuron": [5, 0, 7]})[:n_neurons]
    tokens, ids = number_tokens.encode(prompts), number_tokens.number_ids
    options = {"dtype": "float32", "provenance": {}}
    path = tmp_path / "maps.h5"
    predicted = write_maps(path, llama_model, tokens, prompts, neurons, ids, **options)
    assert len(tokens) > 512  # several batches
    assert predicted.tolist() == predict_tokens(llama_model, tokens).tolist()
    with store.open_artifact(path, "maps") as artifact:
        assert artifact.read("k_map").shape == (n_neurons, len(prompts))
