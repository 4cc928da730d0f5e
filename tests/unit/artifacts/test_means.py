import torch

from pipeline_lib import store
from pipeline_lib.artifacts.means import KIND, read_means, write_means
from pipeline_lib.interventions import mean_activations


def test_means_come_back_as_they_were(exact_model, pairs_tokens, tmp_path):
    means = mean_activations(exact_model, pairs_tokens)
    write_means(tmp_path / "means.h5", means, len(pairs_tokens), {"model": exact_model.name})
    found = read_means(tmp_path / "means.h5")
    assert torch.equal(found.z, means.z)
    assert torch.equal(found.mlp_post, means.mlp_post)
    assert torch.equal(found.tokens, means.tokens)
    assert (found.positions, found.layers) == (means.positions, means.layers)


def test_axes_are_named(llama_model, pairs_tokens, tmp_path):
    write_means(tmp_path / "means.h5", mean_activations(llama_model, pairs_tokens), 7, {})
    store.verify_artifact(tmp_path / "means.h5", KIND)
    with store.open_artifact(tmp_path / "means.h5", KIND) as artifact:
        assert artifact.axes("z") == ("pos", "layer", "head", "d_head")
        assert artifact.axes("mlp_post") == ("pos", "layer", "neuron")
        assert artifact.dataset("z").shape == (5, 3, 4, 8)
        assert artifact.coords("layer").tolist() == [0, 1, 2]
        assert int(artifact.read("n_prompts")) == 7
