"""Attention patterns against those that transformers itself reports."""

import pytest
import torch
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from pipeline_lib.errors import ActivationError, ModelError
from pipeline_lib.interventions import attention_patterns, iter_attention
from pipeline_lib.models.loading import load_model

# transformers' eager attention takes most softmaxes in float32 whatever the model's dtype
TOLERANCE = 1e-6


@pytest.fixture
def reported(exact_model, model_folder, pairs):
    """Patterns [prompt, layer, head, query, key] of transformers' eager attention."""
    hf = AutoModelForCausalLM.from_pretrained(
        model_folder(exact_model.name), dtype=torch.float64, attn_implementation="eager"
    ).eval()
    with torch.no_grad():
        found = hf(pairs.tokens, output_attentions=True).attentions
    assert len(found) == exact_model.n_layers
    return torch.stack(found, 1).double()


def test_patterns_are_those_of_transformers(exact_model, reported, pairs):
    found = attention_patterns(exact_model, pairs.tokens, batch_size=3)
    assert found.shape == (7, 3, 4, 5, 5)
    torch.testing.assert_close(found, reported, atol=TOLERANCE, rtol=TOLERANCE)
    assert found.std(dim=2).max() > 0.01  # heads differ, so their order is tested too


def test_chosen_layers_and_queries(exact_model, reported, pairs):
    found = attention_patterns(exact_model, pairs.tokens, layers=[2, 0], queries=[-1, 2])
    expected = reported[:, [2, 0]][:, :, :, [4, 2]]
    torch.testing.assert_close(found, expected, atol=TOLERANCE, rtol=TOLERANCE)


def test_rows_sum_to_one_and_see_nothing_after_the_query(tiny_model, pairs):
    found = attention_patterns(tiny_model, pairs.tokens)
    torch.testing.assert_close(found.sum(-1), torch.ones(found.shape[:-1]))
    later = torch.ones(5, 5, dtype=torch.bool).triu(1)
    assert (found[..., later] == 0).all()


def test_batches_are_consecutive_prompts(llama_model, pairs):
    parts = list(iter_attention(llama_model, pairs.tokens, batch_size=3))
    assert [len(part) for part in parts] == [3, 3, 1]
    torch.testing.assert_close(torch.cat(parts), attention_patterns(llama_model, pairs.tokens))


def test_no_prompts(llama_model, pairs):
    found = attention_patterns(llama_model, pairs.tokens[:0], layers=[1], queries=[-1])
    assert found.shape == (0, 1, 4, 1, 5)


def test_non_finite_patterns_name_the_layer(model_folder, pairs):
    model = load_model(model_folder("llama"), name="broken")
    model.hf.model.layers[1].self_attn.q_proj.weight[3] = torch.inf
    with pytest.raises(ActivationError, match="layer 1, attention"):
        attention_patterns(model, pairs.tokens)


def test_prompts_beyond_a_sliding_window(model_folder, pairs):
    model = load_model(model_folder("llama"), name="short")
    model.hf.config.sliding_window = 4
    with pytest.raises(ModelError, match="sliding window"):
        attention_patterns(model, pairs.tokens)


def test_half_precision_is_close_to_single(model_folder, llama_model, pairs):
    half = load_model(model_folder("llama"), name="half", dtype="bfloat16")
    found = attention_patterns(half, pairs.tokens)
    assert found.dtype == torch.float32
    torch.testing.assert_close(
        found, attention_patterns(llama_model, pairs.tokens), atol=0.1, rtol=0
    )
