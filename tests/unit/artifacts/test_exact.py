"""Exact effects on disk, and neurons ranked by them."""

import numpy as np
import pytest

from pipeline_lib import store
from pipeline_lib.artifacts.exact import write_exact
from pipeline_lib.artifacts.neuron_effects import EXACT, read_exact_effects, read_neuron_effects
from pipeline_lib.artifacts.ranking import read_ranking
from pipeline_lib.errors import ArtifactError
from pipeline_lib.neurons.exact import NeuronEffects, choose_neurons
from tests.unit.artifacts.test_ranking import write


def written(path, chosen, n_prompts=2):
    """Two seeds; the log odds of neuron n of layer l change by -2 (3 l + n) and twice that."""
    base = 3.0 * chosen["layer"].to_numpy() + chosen["neuron"].to_numpy()
    change = -2.0 * np.outer([1, 2] * (n_prompts // 2), base)
    effects = NeuronEffects(1e60 + 0 * change, change, change, change)
    rows = np.arange(n_prompts // 2) + 5
    write_exact(path, chosen, effects, [42, 7], rows, (2, 3), {})
    return path


def test_effects_come_back_on_the_grid_of_neurons(tmp_path):
    chosen = choose_neurons(np.zeros((2, 3)), "all", np.random.default_rng(0))
    path = written(tmp_path / "exact.h5", chosen.iloc[::-1], n_prompts=2)
    found = read_exact_effects(path)
    assert found.tolist() == [[[0, 1, 2], [3, 4, 5]], [[0, 2, 4], [6, 8, 10]]]
    with store.open_artifact(path, EXACT) as artifact:
        assert artifact.read("discovery").tolist() == [5, 5]
        assert artifact.coords("seed").tolist() == [42, 7]
        assert np.isfinite(artifact.read("indirect_effect")).all()  # beyond float32
        assert artifact.read("neuron").tolist() == [2, 1, 0, 2, 1, 0]


def test_a_sample_does_not_rank(tmp_path):
    chosen = choose_neurons(np.zeros((2, 3)), "all", np.random.default_rng(0)).iloc[1:]
    path = written(tmp_path / "exact.h5", chosen)
    with pytest.raises(ArtifactError, match="sample"):
        read_exact_effects(path)


def test_ranking_takes_exact_effects_where_they_are_given(tmp_path):
    effects, attribution = write(tmp_path)
    chosen = choose_neurons(np.zeros((2, 3)), "all", np.random.default_rng(0))
    exact = [written(tmp_path / "exact.h5", chosen)]
    found = read_ranking(effects, attribution, "mean", exact)
    assert found.importance.tolist() == [[0, 1.5, 3], [4.5, 6, 7.5]]
    plain = read_ranking(effects, attribution, "mean")
    assert found.heads == plain.heads
    assert found.importance_mlp0.tolist() == plain.importance_mlp0.tolist()
    assert read_neuron_effects(attribution).shape == read_neuron_effects(attribution, exact).shape
