import json
import subprocess
import sys

import pytest

from pipeline_lib.errors import ModelError
from pipeline_lib.models.architectures import (
    architecture_of,
    read_model_shape,
    supported_model_types,
)
from pipeline_lib.models.loading import load_model


def write_config(folder, **entries):
    (folder / "config.json").write_text(json.dumps(entries))
    return folder


LLAMA_8B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": False,
}


def test_shape_from_config_alone(tmp_path):
    shape = read_model_shape(write_config(tmp_path, **LLAMA_8B))
    assert (shape.n_layers, shape.n_heads, shape.n_kv_heads, shape.d_head) == (32, 32, 8, 128)
    assert shape.d_mlp == 14336
    # 8.03 billion parameters, as published; norms are not counted
    assert shape.n_parameters == pytest.approx(8.03e9, rel=1e-3)


def test_gpt2_and_gptj_default_mlp_width(tmp_path):
    entries = {"n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257}
    gpt2 = read_model_shape(write_config(tmp_path, model_type="gpt2", **entries))
    assert (gpt2.d_mlp, gpt2.parallel_residual, gpt2.tied_embedding) == (3072, False, True)
    gptj = read_model_shape(write_config(tmp_path, model_type="gptj", **entries))
    assert (gptj.d_mlp, gptj.parallel_residual, gptj.tied_embedding) == (3072, True, False)


def test_shape_agrees_with_the_loaded_weights(tiny_model):
    shape = tiny_model.shape
    matrices = sum(p.numel() for p in tiny_model.hf.parameters() if p.ndim == 2)
    positions = shape.n_positions * shape.d_model if shape.model_type == "gpt2" else 0
    assert matrices - positions == shape.n_parameters


def test_unknown_architecture_lists_the_supported(tmp_path):
    folder = write_config(tmp_path, model_type="mamba")
    with pytest.raises(ModelError, match="mamba") as caught:
        read_model_shape(folder)
    for name in supported_model_types():
        assert name in str(caught.value)
    assert "gpt_neox" in supported_model_types()
    with pytest.raises(ModelError):
        load_model(folder)


def test_missing_folder_and_config(tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        read_model_shape(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"no config\.json"):
        read_model_shape(tmp_path)


def test_damaged_config(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "llama"')
    with pytest.raises(ModelError, match="cannot be read"):
        read_model_shape(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ModelError, match="not a JSON object"):
        read_model_shape(tmp_path)
    entries = {key: value for key, value in LLAMA_8B.items() if key != "intermediate_size"}
    with pytest.raises(ModelError, match="intermediate_size"):
        read_model_shape(write_config(tmp_path, **entries))


def test_model_type_decides_the_adapter():
    assert architecture_of("qwen2") is architecture_of("llama")
    assert architecture_of("gpt2").mlp_out == "mlp.c_proj"


def test_reading_a_shape_does_not_import_torch():
    code = "import sys, pipeline_lib.models; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
