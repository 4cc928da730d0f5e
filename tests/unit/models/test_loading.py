import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from pipeline_lib.errors import ModelError, TokenizerError
from pipeline_lib.interventions import capture
from pipeline_lib.models.loading import load_model, load_tokenizer


@pytest.fixture
def copied(model_folder, tmp_path):
    """A writable copy of the tiny Llama's folder."""
    return shutil.copytree(model_folder("llama"), tmp_path / "copy")


def edit_weights(folder, edit):
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_logits_equal_those_of_transformers(tiny_model, model_folder, number_tokens, prompt_pairs):
    hf = AutoModelForCausalLM.from_pretrained(model_folder(tiny_model.name)).eval()
    tokens = number_tokens.encode(prompt_pairs[0])
    with torch.no_grad():
        expected = hf(tokens).logits[:, -1]
    logits = capture(tiny_model, tokens).logits
    assert (logits - expected).abs().max() < 1e-5
    assert expected.std() > 0.1


def test_loaded_model_is_frozen(tiny_model):
    assert not tiny_model.hf.training
    assert not any(p.requires_grad for p in tiny_model.hf.parameters())


def test_name_defaults_to_the_folder(model_folder):
    assert load_model(model_folder("gpt2")).name == "gpt2"


def test_output_weights_are_rows_per_neuron_and_head(tiny_model):
    post = torch.zeros(1, tiny_model.d_mlp)
    post[0, 5] = 2.0
    written = tiny_model.mlp_outs[1](post) - tiny_model.mlp_outs[1](torch.zeros_like(post))
    torch.testing.assert_close(written[0], 2 * tiny_model.w_out(1)[5])
    assert isinstance(tiny_model.mlp_outs[1], Conv1D) == (tiny_model.name == "gpt2")

    z = torch.zeros(1, tiny_model.n_heads, tiny_model.d_head)
    z[0, 2] = torch.arange(tiny_model.d_head)
    out = tiny_model.attention_outs[1]
    written = out(z.flatten(1)) - out(torch.zeros_like(z.flatten(1)))
    torch.testing.assert_close(written[0], z[0, 2] @ tiny_model.w_o(1)[2])


def test_unembedding_and_final_norm_are_the_last_steps(tiny_model, number_tokens, prompt_pairs):
    found = capture(tiny_model, number_tokens.encode(prompt_pairs[0]), positions=[-1])
    final = tiny_model.final_norm(found.resid_post[:, 0, -1])
    torch.testing.assert_close(tiny_model.unembedding(final), found.logits, atol=1e-5, rtol=1e-5)


def test_no_weights(copied):
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    with pytest.raises(ModelError, match="no weights") as caught:
        load_model(copied)
    assert "pytorch_model.bin" in str(caught.value)


def test_truncated_weights(copied):
    path = copied / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(copied)


def test_absent_tensor_is_not_filled_at_random(copied):
    edit_weights(copied, lambda tensors: tensors.pop("model.layers.1.mlp.up_proj.weight"))
    with pytest.raises(ModelError, match=r"layers\.1\.mlp\.up_proj"):
        load_model(copied)


def test_tensor_of_another_shape(copied):
    def edit(tensors):
        tensors["model.norm.weight"] = torch.ones(7)

    edit_weights(copied, edit)
    with pytest.raises(ModelError):
        load_model(copied)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_non_finite_weights_name_the_tensor(copied, value):
    def edit(tensors):
        tensors["model.layers.2.self_attn.v_proj.weight"][3, 4] = value

    edit_weights(copied, edit)
    with pytest.raises(ModelError, match=r"layers\.2\.self_attn\.v_proj\.weight") as caught:
        load_model(copied)
    assert "1 of" in str(caught.value)


def test_unknown_dtype(model_folder):
    with pytest.raises(ModelError, match="float8"):
        load_model(model_folder("llama"), dtype="float8")


def test_missing_tokenizer(copied):
    for path in copied.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(TokenizerError, match="cannot be loaded"):
        load_tokenizer(copied)


def test_half_precision_keeps_results_in_float32(model_folder, number_tokens, prompt_pairs):
    model = load_model(model_folder("llama"), dtype="bfloat16")
    found = capture(model, number_tokens.encode(prompt_pairs[0]))
    assert {value.dtype for name, value in found.arrays().items() if name != "tokens"} == {
        torch.float32
    }
