"""From artifacts of effects and attribution to a ranking, by hand."""

import numpy as np
import pytest

from pipeline_lib import store
from pipeline_lib.artifacts.ranking import read_ranking
from pipeline_lib.circuits.ranking import Head
from pipeline_lib.stimuli.arithmetic import POSITIONS


def write(folder, n_prompts=2):
    """Two layers of two heads and three neurons, two seeds."""
    coords = {"position": list(POSITIONS), "layer": np.arange(2)}
    for seed in range(2):
        effects = np.zeros((n_prompts, 4, 2, 3))
        effects[:, seed, 1, 0] = 2.0  # mean over seeds and positions .5
        effects[:, 3, 0, 1] = 1.5 * seed  # .1875
        effects[..., 2] = 100.0  # the MLP is no head
        axes = ("prompt", "position", "layer", "component")
        arrays = {"indirect_effect": store.Array(effects, axes)}
        store.write_artifact(
            folder / f"effects{seed}", "effects", arrays, coords=coords, provenance={}
        )
    last = np.array([[[1, 2, 3], [4, 5, 6]], [[3, 2, 1], [4, 5, np.nan]]])[:n_prompts]
    position = np.arange(4.0)[:, None, None]
    mean = position * np.array([[1.0, 2.0, 3.0], [9.0, 9.0, 9.0]]) + 100.0 * (position == 3)
    axes = ("position", "layer", "neuron")
    arrays = {
        "neurons_last": store.Array(last, ("prompt", "layer", "neuron")),
        "neurons_mean": store.Array(mean, axes),
        "neurons_std": store.Array(np.full((4, 2, 3), 0.5), axes),
    }
    store.write_artifact(
        folder / "attribution", "attribution", arrays, coords=coords, provenance={}
    )
    return [folder / "effects0", folder / "effects1"], folder / "attribution"


def test_ranking_by_hand(tmp_path):
    found = read_ranking(*write(tmp_path), "mean")
    assert found.heads == [Head(1, 0), Head(0, 1), Head(0, 0), Head(1, 1)]
    assert found.importance.tolist() == [[2, 2, 2], [4, 5, 3]]
    # positions 0, 1, 2 of layer 0; the last position and layer 1 are not among them
    assert found.importance_mlp0.tolist() == [1.0, 2.0, 3.0]


def test_the_authors_importance(tmp_path):
    found = read_ranking(*write(tmp_path), "mean_plus_std")
    assert found.importance[0].tolist() == pytest.approx([2 + 2**0.5, 2, 2 + 2**0.5])
    assert found.importance_mlp0.tolist() == [1.5, 2.5, 3.5]


def test_ranking_without_prompts(tmp_path):
    found = read_ranking(*write(tmp_path, n_prompts=0), "mean")
    assert len(found.heads) == 4
    assert found.importance.shape == (2, 3)
