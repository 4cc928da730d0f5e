import pytest
import torch

from pipeline_lib.errors import ActivationError
from pipeline_lib.interventions import capture, iter_captured, predict_tokens
from pipeline_lib.interventions.batching import batches, default_batch_size
from pipeline_lib.models.loading import load_model
from tests.unit.interventions import naive


def test_sites_are_the_inputs_of_the_output_projections(tiny_model, pairs):
    found = capture(tiny_model, pairs.tokens)
    expected = naive.inputs(tiny_model, pairs.tokens)
    assert found.z.shape == (7, 5, 3, tiny_model.n_heads, tiny_model.d_head)
    for layer in range(tiny_model.n_layers):
        torch.testing.assert_close(found.z[:, :, layer].flatten(2), expected[layer, 0])
        torch.testing.assert_close(found.mlp_post[:, :, layer], expected[layer, 1])


def test_residual_is_that_of_transformers(tiny_model, pairs):
    found = capture(tiny_model, pairs.tokens, ("resid_post",))
    with torch.no_grad():
        states = tiny_model.hf(pairs.tokens, output_hidden_states=True).hidden_states
    # the last hidden state of transformers is after the final norm
    for layer in range(tiny_model.n_layers - 1):
        torch.testing.assert_close(found.resid_post[:, :, layer], states[layer + 1])
    assert found.z is None


def test_layers_and_positions_are_a_selection(tiny_model, pairs):
    every = capture(tiny_model, pairs.tokens)
    some = capture(tiny_model, pairs.tokens, ("mlp_post",), layers=[2, 0], positions=[-1, 1])
    assert (some.positions, some.layers) == ((4, 1), (2, 0))
    torch.testing.assert_close(some.mlp_post, every.mlp_post[:, [4, 1]][:, :, [2, 0]])


def test_the_embedding_is_what_enters_the_first_layer(tiny_model, pairs):
    found = capture(tiny_model, pairs.tokens, ("resid_post",), layers=[-1, 0])
    with torch.no_grad():
        states = tiny_model.hf(pairs.tokens, output_hidden_states=True).hidden_states
    torch.testing.assert_close(found.resid_post[:, :, 0], states[0])
    torch.testing.assert_close(found.resid_post[:, :, 1], states[1])
    with pytest.raises(ValueError, match="layers"):
        capture(tiny_model, pairs.tokens, ("z",), layers=[-1])


def test_batches_join_to_the_whole(tiny_model, pairs):
    whole = capture(tiny_model, pairs.tokens)
    joined = capture(tiny_model, pairs.tokens, batch_size=3)
    for name, values in whole.arrays().items():
        torch.testing.assert_close(joined.arrays()[name], values, atol=1e-5, rtol=1e-5)
    sizes = [len(part) for part in iter_captured(tiny_model, pairs.tokens, batch_size=3)]
    assert sizes == [3, 3, 1]


def test_no_prompts(tiny_model, pairs):
    some = capture(tiny_model, pairs.tokens[:2], positions=[-1], layers=[1])
    none = capture(tiny_model, pairs.tokens[:0], positions=[-1], layers=[1])
    for name, values in some.arrays().items():
        assert none.arrays()[name].shape == (0, *values.shape[1:])
    assert predict_tokens(tiny_model, pairs.tokens[:0]).shape == (0,)


def test_some_prompts_of_captured_activations(llama_model, pairs):
    found = capture(llama_model, pairs.tokens, keep_logits=False)
    part = found.prompts(slice(2, 4))
    assert len(part) == 2
    assert torch.equal(part.z, found.z[2:4])
    assert part.logits is None


def test_predictions_are_the_largest_logits(tiny_model, pairs):
    expected = naive.run(tiny_model, pairs.tokens).argmax(-1)
    assert torch.equal(predict_tokens(tiny_model, pairs.tokens, batch_size=2), expected)


def test_unknown_positions_and_layers(llama_model, pairs):
    with pytest.raises(ValueError, match="positions"):
        capture(llama_model, pairs.tokens, positions=[5])
    with pytest.raises(ValueError, match="layers"):
        capture(llama_model, pairs.tokens, layers=[3])


def test_missing_site_is_named(llama_model, pairs):
    with pytest.raises(ValueError, match="mlp_post"):
        capture(llama_model, pairs.tokens, ("z",)).site("mlp_post")


@pytest.fixture
def broken_model(model_folder):
    """A model whose second MLP gives infinite activations."""
    model = load_model(model_folder("llama"), name="broken")
    model.hf.model.layers[1].mlp.up_proj.weight[3] = 1e38
    return model


def test_non_finite_activations_name_layer_and_site(broken_model, pairs):
    with pytest.raises(ActivationError, match="layer 1, mlp_post"):
        capture(broken_model, pairs.tokens, ("mlp_post",))
    with pytest.raises(ActivationError, match="logits"):
        predict_tokens(broken_model, pairs.tokens)


def test_non_finite_activations_can_be_kept_for_counting(broken_model, pairs):
    found = capture(broken_model, pairs.tokens, ("mlp_post",), check=False)
    assert not torch.isfinite(found.mlp_post[:, :, 1]).all()
    assert torch.isfinite(found.mlp_post[:, :, 0]).all()


def test_default_batch_size_follows_the_budget(llama_model):
    big = default_batch_size(llama_model, 5)
    assert default_batch_size(llama_model, 5, budget=1) == 1
    small = default_batch_size(llama_model, 5, budget=10**6)
    assert 1 < small < big
    assert default_batch_size(llama_model, 50, budget=10**6) < small
    assert default_batch_size(llama_model, 5, layers_kept=30, budget=10**6) < small


def test_batches_cover_every_row_once():
    assert list(batches(5, 2)) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert list(batches(0, 2)) == []
