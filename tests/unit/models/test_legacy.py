"""Models in the format of older TransformerLens versions, against TransformerLens itself."""

import pytest
import torch
from safetensors.torch import load_file
from transformer_lens.model_bridge.sources import tl_legacy

from pipeline_lib.errors import ModelError
from pipeline_lib.interventions import capture
from pipeline_lib.models import download
from pipeline_lib.models.loading import load_model

ORIGIN = {"source": "hub", "repo": "owner/name", "revision": "main", "layout": "transformer_lens"}
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


def random_weights(settings):
    generator = torch.Generator().manual_seed(0)
    return {
        name: 0.5 * torch.randn(shape, generator=generator)
        for name, shape in shapes(settings).items()
    }


@pytest.fixture
def hub(monkeypatch, model_folder, serve):
    """A hub with one such model, and a repository with its tokenizer."""

    def make(weights=None, **changes):
        settings = SETTINGS | changes
        weights = weights or random_weights(settings)
        monkeypatch.setattr(tl_legacy, "_fetch_json", lambda repo, name: settings)
        monkeypatch.setattr(tl_legacy, "fetch_tl_legacy_state_dict", lambda repo, cfg: weights)

        serve(model_folder("gpt2"), "owner/tokenizer")
        return settings, weights

    return make


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


@pytest.mark.parametrize("normalization", ["LN", "LNPre"])
def test_the_converted_model_computes_the_same_logits(hub, tmp_path, normalization):
    settings, weights = hub(normalization=normalization)
    model = load_model(download.fetch_model(ORIGIN, tmp_path / "model"))
    assert (model.d_mlp, model.n_layers, model.n_heads) == (1, N_LAYERS, N_HEADS)
    tokens = torch.randint(D_VOCAB, (3, 7), generator=torch.Generator().manual_seed(1))
    logits = capture(model, tokens, ["z"]).logits
    assert torch.allclose(logits, reference(settings, weights, tokens), atol=1e-4)
    assert weights["unembed.b_U"].abs().max() > 0.1
    assert torch.equal(model.unembedding.bias, weights["unembed.b_U"])
    files = [path for path in (tmp_path / "model").iterdir() if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".safetensors"}


def test_a_model_with_mlps_is_refused(hub, tmp_path):
    hub(attn_only=False)
    with pytest.raises(ModelError, match="attention-only"):
        download.fetch_model(ORIGIN, tmp_path / "model")


def test_other_positions_are_refused(hub, tmp_path):
    hub(shortformer_pos=True)
    with pytest.raises(ModelError, match="shortformer"):
        download.fetch_model(ORIGIN, tmp_path / "model")


def test_weights_that_are_not_all_there_are_named(hub, tmp_path):
    weights = random_weights(SETTINGS)
    del weights["blocks.1.attn.W_O"]
    hub(weights)
    with pytest.raises(ModelError, match=r"blocks\.1\.attn\.W_O"):
        download.fetch_model(ORIGIN, tmp_path / "model")


def test_offline_is_one_clear_error(monkeypatch, tmp_path):
    def fail(repo, name):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(tl_legacy, "_fetch_json", fail)
    with pytest.raises(ModelError, match=r"owner/name[\s\S]*no route to host[\s\S]*online"):
        download.fetch_model(ORIGIN, tmp_path / "model")


def test_the_mlps_add_nothing(hub, tmp_path):
    hub()
    download.fetch_model(ORIGIN, tmp_path / "model")
    tensors = load_file(tmp_path / "model" / "model.safetensors")
    mlps = [tensor for name, tensor in tensors.items() if ".mlp." in name]
    assert len(mlps) == 4 * N_LAYERS
    assert not any(tensor.any() for tensor in mlps)
