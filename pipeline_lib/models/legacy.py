"""Toy models of the hub in the format of older TransformerLens versions, as GPT-2 folders.

Such a repository holds its sizes in config.json and the weights in a file ``*final.pth``, named as
in TransformerLens (W_Q, W_pos, ...). Attention-only models become a GPT-2 whose MLPs add nothing:
they have one neuron, which is silent. The weights are read by torch's loader for tensors alone
(``weights_only``), in which no code of the file runs; later stages read the safetensors made here.
"""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor
from transformers import GPT2Config

from pipeline_lib.errors import ModelError

WEIGHTS = "*final.pth"
Weights = Mapping[str, Tensor]


def convert_legacy(source: Path, folder: Path) -> str:
    """Write config.json and model.safetensors (float32) to ``folder``; return the tokenizer's name.

    Raises ModelError for files that are missing or damaged, and for models that are no
    attention-only transformer with learned positions and layer norms.
    """
    settings = _settings(source)
    weights = _weights(source)
    try:
        tensors = as_gpt2(weights, settings)
    except KeyError as error:
        raise ModelError(
            "The model's weights lack a tensor.", where=source, value=error.args[0]
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    _config(settings).save_pretrained(folder)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return str(settings["tokenizer_name"])


def as_gpt2(weights: Weights, settings: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of a GPT-2 that computes what the TransformerLens model does.

    Its projection of queries, keys and values is one [d_model, 3 d_model] matrix; norms whose
    weights were folded away (normalization LNPre) get weights 1 and biases 0.
    """
    d_model = settings["d_model"]
    one, zero = torch.ones(d_model), torch.zeros(d_model)
    found = {
        "transformer.wte.weight": weights["embed.W_E"],
        "transformer.wpe.weight": weights["pos_embed.W_pos"],
        "transformer.ln_f.weight": weights.get("ln_final.w", one),
        "transformer.ln_f.bias": weights.get("ln_final.b", zero),
        "lm_head.weight": weights["unembed.W_U"].T,
    }
    bias = weights.get("unembed.b_U")
    if bias is not None and bias.any():
        found["lm_head.bias"] = bias
    for layer in range(settings["n_layers"]):
        old, new = f"blocks.{layer}", f"transformer.h.{layer}"
        attention = f"{old}.attn"
        found |= {
            f"{new}.ln_1.weight": weights.get(f"{old}.ln1.w", one),
            f"{new}.ln_1.bias": weights.get(f"{old}.ln1.b", zero),
            f"{new}.attn.c_attn.weight": torch.cat(
                [_by_input(weights[f"{attention}.W_{name}"]) for name in "QKV"], 1
            ),
            f"{new}.attn.c_attn.bias": torch.cat(
                [weights[f"{attention}.b_{name}"].flatten() for name in "QKV"]
            ),
            f"{new}.attn.c_proj.weight": weights[f"{attention}.W_O"].flatten(0, 1),
            f"{new}.attn.c_proj.bias": weights[f"{attention}.b_O"],
            **_silent_mlp(new, d_model),
        }
    return {name: tensor.float().contiguous().clone() for name, tensor in found.items()}


def _by_input(weight: Float[Tensor, "head d_model d_head"]) -> Float[Tensor, "d_model d_heads"]:
    return weight.permute(1, 0, 2).flatten(1)


def _silent_mlp(layer: str, d_model: int) -> dict[str, Tensor]:
    """A norm and an MLP whose only neuron reads and writes nothing."""
    return {
        f"{layer}.ln_2.weight": torch.ones(d_model),
        f"{layer}.ln_2.bias": torch.zeros(d_model),
        f"{layer}.mlp.c_fc.weight": torch.zeros(d_model, 1),
        f"{layer}.mlp.c_fc.bias": torch.zeros(1),
        f"{layer}.mlp.c_proj.weight": torch.zeros(1, d_model),
        f"{layer}.mlp.c_proj.bias": torch.zeros(d_model),
    }


def _settings(source: Path) -> dict[str, Any]:
    path = source / "config.json"
    try:
        settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        norm = settings.get("normalization", settings.get("normalization_type"))
        fits = (
            settings["attn_only"]
            and norm in ("LN", "LNPre")
            and not settings.get("shortformer_pos", False)
            and settings["n_heads"] * settings["d_head"] == settings["d_model"]
        )
        settings["tokenizer_name"], settings["n_layers"], settings["n_ctx"], settings["d_vocab"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            "The model's config.json cannot be read.", where=path, value=error
        ) from error
    if not fits:
        raise ModelError(
            "The model cannot be converted.",
            where=path,
            value=f"attn_only {settings['attn_only']}, normalization {norm}",
            hint="Only attention-only models with learned positions and layer norms are.",
        )
    return settings


def _weights(source: Path) -> Weights:
    files = sorted(source.rglob(WEIGHTS))
    if not files:
        raise ModelError("The model's repository has no weights.", where=source, value=WEIGHTS)
    try:
        weights: Weights = torch.load(files[0], map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(
            "The model's weights cannot be read.",
            where=files[0],
            value=(str(error).strip().splitlines() or [type(error).__name__])[0],
            hint="A damaged download, or a file that holds more than tensors.",
        ) from error
    return weights


def _config(settings: Mapping[str, Any]) -> GPT2Config:
    return GPT2Config(
        vocab_size=settings["d_vocab"],
        n_positions=settings["n_ctx"],
        n_embd=settings["d_model"],
        n_layer=settings["n_layers"],
        n_head=settings["n_heads"],
        n_inner=1,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=None,
        architectures=["GPT2LMHeadModel"],
        dtype="float32",
    )
