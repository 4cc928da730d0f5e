"""Models in the format of older TransformerLens versions, against TransformerLens itself."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from pipeline_lib.errors import ModelError
from pipeline_lib.interventions import capture
from pipeline_lib.models import download, legacy
from pipeline_lib.models.loading import load_model

N_LAYERS, N_HEADS, D_HEAD, D_MODEL, D_VOCAB, N_CTX = 2, 4, 8, 32, 30, 16
SETTINGS = {
    "n_layers": N_LAYERS,
    "n_heads": N_HEADS,
    "d_head": D_HEAD,
    "d_model": D_MODEL,
    "d_mlp": 4 * D_MODEL,
    "d_vocab": D_VOCAB,
    "n_ctx": N_CTX,
    "act_fn": "solu_ln",
    "attn_only": True,
    "normalization": "LN",
    "tokenizer_name": "owner/tokenizer",
}


def shapes(settings):
    found = {
        "embed.W_E": (D_VOCAB, D_MODEL),
        "pos_embed.W_pos": (N_CTX, D_MODEL),
        "unembed.W_U": (D_MODEL, D_VOCAB),
        "unembed.b_U": (D_VOCAB,),
    }
    norms = ["ln_final"] if settings["normalization"] == "LN" else []
    for layer in range(N_LAYERS):
        block = f"blocks.{layer}"
        for name in "QKV":
            found[f"{block}.attn.W_{name}"] = (N_HEADS, D_MODEL, D_HEAD)
            found[f"{block}.attn.b_{name}"] = (N_HEADS, D_HEAD)
        found[f"{block}.attn.W_O"] = (N_HEADS, D_HEAD, D_MODEL)
        found[f"{block}.attn.b_O"] = (D_MODEL,)
        norms += [f"{block}.ln1"] if settings["normalization"] == "LN" else []
    return found | {f"{norm}.{part}": (D_MODEL,) for norm in norms for part in "wb"}


def write(folder, **changes):
    """A repository's files with random weights; returns settings and weights."""
    settings = SETTINGS | changes
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: 0.5 * torch.randn(shape, generator=generator)
        for name, shape in shapes(settings).items()
    }
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(settings))
    torch.save(weights, folder / "model_final.pth")
    return settings, weights


def reference(settings, weights, tokens):
    """Logits of TransformerLens' own model with these weights."""
    from transformer_lens.config import TransformerBridgeConfig
    from transformer_lens.model_bridge.sources.native import boot
    from transformer_lens.utilities.tl_checkpoint_conversion import convert_tl_checkpoint

    cfg = TransformerBridgeConfig(
        **{
            name: settings[name]
            for name in SETTINGS
            if name not in ("normalization", "tokenizer_name")
        },
        normalization_type=settings["normalization"],
        positional_embedding_type="standard",
        architecture="TransformerLensNative",
    )
    bridge = boot(cfg, device="cpu", dtype=torch.float32)
    bridge.load_state_dict(convert_tl_checkpoint(weights, cfg), strict=True)
    with torch.no_grad():
        return bridge(tokens, return_type="logits")[:, -1]


@pytest.fixture
def converted(tmp_path, model_folder):
    def convert(**changes):
        settings, weights = write(tmp_path / "source", **changes)
        folder = tmp_path / "model"
        assert legacy.convert_legacy(tmp_path / "source", folder) == "owner/tokenizer"
        for path in model_folder("gpt2").glob("tokenizer*"):
            shutil.copy(path, folder)
        return load_model(folder), settings, weights

    return convert


@pytest.mark.parametrize("normalization", ["LN", "LNPre"])
def test_the_converted_model_computes_the_same_logits(converted, normalization):
    model, settings, weights = converted(normalization=normalization)
    assert (model.d_mlp, model.n_layers, model.n_heads) == (1, N_LAYERS, N_HEADS)
    tokens = torch.randint(D_VOCAB, (3, 7), generator=torch.Generator().manual_seed(1))
    logits = capture(model, tokens, ["z"]).logits
    assert torch.allclose(logits, reference(settings, weights, tokens), atol=1e-4)
    assert weights["unembed.b_U"].abs().max() > 0.1
    assert torch.equal(model.unembedding.bias, weights["unembed.b_U"])


def test_a_download_ends_in_safetensors_and_a_tokenizer(monkeypatch, tmp_path, model_folder):
    write(tmp_path / "source")

    def fake(repo, *, revision, local_dir, allow_patterns):
        where = tmp_path / "source" if repo == "owner/name" else model_folder("gpt2")
        for path in where.iterdir():
            if any(path.match(pattern) for pattern in allow_patterns):
                shutil.copy(path, local_dir)

    monkeypatch.setattr(download, "snapshot_download", fake)
    origin = {"source": "hub", "repo": "owner/name", "revision": "a1", "layout": "transformer_lens"}
    folder = download.fetch_model(origin, tmp_path / "model")
    assert load_model(folder).n_heads == N_HEADS
    assert not list(folder.rglob("*.pth"))


def test_a_model_with_mlps_is_refused(tmp_path):
    write(tmp_path / "source", attn_only=False)
    with pytest.raises(ModelError, match="attention-only"):
        legacy.convert_legacy(tmp_path / "source", tmp_path / "model")


def test_weights_that_are_not_all_there_or_damaged_are_named(tmp_path):
    _, weights = write(tmp_path / "source")
    del weights["blocks.1.attn.W_O"]
    torch.save(weights, tmp_path / "source" / "model_final.pth")
    with pytest.raises(ModelError, match=r"blocks\.1\.attn\.W_O"):
        legacy.convert_legacy(tmp_path / "source", tmp_path / "model")
    (tmp_path / "source" / "model_final.pth").write_bytes(b"PK broken")
    with pytest.raises(ModelError, match="cannot be read"):
        legacy.convert_legacy(tmp_path / "source", tmp_path / "model")


def test_a_file_with_more_than_tensors_runs_nothing(tmp_path):
    class Harm:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    write(tmp_path / "source")
    torch.save({"embed.W_E": Harm()}, tmp_path / "source" / "model_final.pth")
    with pytest.raises(ModelError, match="cannot be read"):
        legacy.convert_legacy(tmp_path / "source", tmp_path / "model")
    assert not (tmp_path / "ran").exists()


def test_the_mlps_add_nothing(tmp_path):
    write(tmp_path / "source")
    legacy.convert_legacy(tmp_path / "source", tmp_path / "model")
    tensors = load_file(tmp_path / "model" / "model.safetensors")
    mlps = [tensor for name, tensor in tensors.items() if ".mlp." in name]
    assert len(mlps) == 4 * N_LAYERS
    assert not any(tensor.any() for tensor in mlps)
