"""Toy models of the hub in the format of older TransformerLens versions, as GPT-2 folders.

Such a repository holds its sizes in config.json and weights named as in TransformerLens (W_Q,
W_pos, ...), which TransformerLens itself downloads and reads. Attention-only models become a GPT-2
whose MLPs add nothing: they have one neuron, which is silent. Later stages read the safetensors
that are written here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import HFValidationError
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor
from transformers import GPT2Config

from pipeline_lib.errors import ModelError

Weights = Mapping[str, Tensor]
SIZES = ("n_layers", "n_heads", "d_head", "d_model", "n_ctx", "d_vocab")


def fetch_legacy_model(repo: str, folder: Path) -> str:
    """Write config.json and model.safetensors (float32) to ``folder``; return the tokenizer's name.

    Raises ModelError when the hub cannot be reached, for weights that lack a tensor, and for models
    that are no attention-only transformer with learned positions and layer norms.
    """
    # two seconds that no other job has to wait for
    from transformer_lens.model_bridge.sources import tl_legacy

    try:
        cfg = tl_legacy.derive_tl_legacy_config(repo)
        _check(cfg, repo)
        weights = tl_legacy.fetch_tl_legacy_state_dict(repo, cfg)
    except (OSError, HFValidationError, NotImplementedError) as error:  # connection: OSError
        raise ModelError(
            "The model cannot be downloaded from the Hugging Face hub.",
            where=repo,
            value=(str(error).strip().splitlines() or [type(error).__name__])[0],
            hint="Is the machine online? Otherwise copy a converted folder here and name it with "
            "source: local.",
        ) from error
    sizes = {name: int(getattr(cfg, name)) for name in SIZES}
    write_as_gpt2(weights, sizes, folder)
    return str(cfg.tokenizer_name)


def write_as_gpt2(weights: Weights, sizes: Mapping[str, int], folder: Path) -> None:
    """Write the model as a Hugging Face folder; ModelError when a tensor is missing."""
    try:
        tensors = as_gpt2(weights, sizes)
    except KeyError as error:
        raise ModelError("The model's weights lack a tensor.", value=error.args[0]) from None
    folder.mkdir(parents=True, exist_ok=True)
    _config(sizes).save_pretrained(folder)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def as_gpt2(weights: Weights, sizes: Mapping[str, int]) -> dict[str, Tensor]:
    """The tensors of a GPT-2 that computes what the TransformerLens model does.

    Its projection of queries, keys and values is one [d_model, 3 d_model] matrix; norms whose
    weights were folded away (normalization LNPre) get weights 1 and biases 0.
    """
    d_model = sizes["d_model"]
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
    for layer in range(sizes["n_layers"]):
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


def _check(cfg: Any, repo: str) -> None:
    norm = cfg.normalization_type
    if cfg.attn_only and norm in ("LN", "LNPre") and cfg.n_heads * cfg.d_head == cfg.d_model:
        return
    raise ModelError(
        "The model cannot be converted.",
        where=repo,
        value=f"attn_only {cfg.attn_only}, normalization {norm}",
        hint="Only attention-only models with learned positions and layer norms are.",
    )


def _config(sizes: Mapping[str, int]) -> GPT2Config:
    return GPT2Config(
        vocab_size=sizes["d_vocab"],
        n_positions=sizes["n_ctx"],
        n_embd=sizes["d_model"],
        n_layer=sizes["n_layers"],
        n_head=sizes["n_heads"],
        n_inner=1,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=None,
        architectures=["GPT2LMHeadModel"],
        dtype="float32",
    )
