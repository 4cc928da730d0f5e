"""Activations of single prompts out of a map artifact."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib import store
from pipeline_lib.artifacts.maps import read_activations_of
from pipeline_lib.errors import ArtifactError


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


def test_a_prompt_that_is_not_there(maps):
    with pytest.raises(ArtifactError, match="do not hold a prompt"):
        read_activations_of(maps, pd.DataFrame({"a": [1], "b": [0]}))
