"""Where each architecture keeps its parts: one class per architecture, data only, no torch.

An adapter names the modules of a Hugging Face model by their attribute paths and reads the model's
shape from its ``config.json``. Everything that touches weights or activations goes through these
names, so a new architecture is one class here and one line in ``ARCHITECTURES``.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pipeline_lib.errors import ModelError


@dataclass(frozen=True)
class ModelShape:
    """Sizes of a decoder-only transformer, as its configuration states them."""

    model_type: str
    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_head: int
    d_model: int
    d_mlp: int
    d_vocab: int
    n_positions: int
    gated_mlp: bool
    parallel_residual: bool
    tied_embedding: bool

    @property
    def n_parameters(self) -> int:
        """Number of entries of the weight matrices (norms and biases left out)."""
        attention = self.d_model * self.d_head * 2 * (self.n_heads + self.n_kv_heads)
        mlp = self.d_model * self.d_mlp * (3 if self.gated_mlp else 2)
        embedding = self.d_vocab * self.d_model * (1 if self.tied_embedding else 2)
        return self.n_layers * (attention + mlp) + embedding


SIZES = (
    "n_layers",
    "n_heads",
    "n_kv_heads",
    "d_head",
    "d_model",
    "d_mlp",
    "d_vocab",
    "n_positions",
)


class Architecture:
    """Names of one architecture's parts: paths from the model, and paths from one decoder layer.

    ``attention_out`` and ``mlp_out`` are the projections whose INPUTS are z (the heads side by
    side) and mlp_post. ``layer_norm`` tells LayerNorm (which also subtracts the mean) from RMSNorm.
    ``projections`` are paths from the attention: of queries, keys and values, or of one projection
    that gives all three, ``fused`` "by_head" (q, k, v of head 0, then of head 1, ...) or
    "by_kind" (q of all heads, then k, then v). ``rotary`` is how positions turn a head's entries:
    "halves" pairs entry i with i + n/2 and reads the angles from the module at ``rotary_module``;
    "pairs" pairs neighbours, with angles kept by the attention; None where positions are embedded.
    ``mlp_ins`` are paths of what a neuron reads with: "gate" and "up" in gated MLPs, else "in".
    """

    model_types: ClassVar[tuple[str, ...]]
    layers: ClassVar[str]
    embedding: ClassVar[str]
    final_norm: ClassVar[str]
    unembedding: ClassVar[str]
    attention_out: ClassVar[str]
    mlp_out: ClassVar[str]
    layer_norm: ClassVar[bool]
    attention: ClassVar[str]
    attention_norm: ClassVar[str]
    mlp: ClassVar[str]
    mlp_norm: ClassVar[str]
    mlp_ins: ClassVar[Mapping[str, str]]
    projections: ClassVar[tuple[str, ...]]
    fused: ClassVar[Literal["by_head", "by_kind"] | None] = None
    rotary: ClassVar[Literal["halves", "pairs"] | None] = None
    rotary_module: ClassVar[str] = ""
    # transformers computes GPT-J's attention scores in float32 whatever the model's dtype
    scores_in_float32: ClassVar[bool] = False

    @classmethod
    def shape(cls, config: Mapping[str, Any]) -> ModelShape:
        """Shape from the parsed ``config.json``; a missing key raises KeyError."""
        raise NotImplementedError


class LlamaLike(Architecture):
    """Llama and its relatives: RMSNorm, rotary positions, grouped-query heads, gated MLP."""

    model_types = ("llama", "mistral", "qwen2", "qwen3")
    layers = "model.layers"
    embedding = "model.embed_tokens"
    final_norm = "model.norm"
    unembedding = "lm_head"
    attention_out = "self_attn.o_proj"
    mlp_out = "mlp.down_proj"
    layer_norm = False
    attention = "self_attn"
    attention_norm = "input_layernorm"
    mlp = "mlp"
    mlp_norm = "post_attention_layernorm"
    mlp_ins: ClassVar[Mapping[str, str]] = {"gate": "mlp.gate_proj", "up": "mlp.up_proj"}
    projections = ("q_proj", "k_proj", "v_proj")
    rotary = "halves"
    rotary_module = "model.rotary_emb"

    @classmethod
    def shape(cls, config: Mapping[str, Any]) -> ModelShape:
        """Shape from the parsed ``config.json``; a missing key raises KeyError."""
        heads = config["num_attention_heads"]
        return ModelShape(
            model_type=config["model_type"],
            n_layers=config["num_hidden_layers"],
            n_heads=heads,
            n_kv_heads=config.get("num_key_value_heads") or heads,
            d_head=config.get("head_dim") or config["hidden_size"] // heads,
            d_model=config["hidden_size"],
            d_mlp=config["intermediate_size"],
            d_vocab=config["vocab_size"],
            n_positions=config.get("max_position_embeddings", 2048),
            gated_mlp=True,
            parallel_residual=False,
            tied_embedding=config.get("tie_word_embeddings", False),
        )


class GPTNeoX(Architecture):
    """GPT-NeoX (Pythia): attention and MLP in parallel unless the configuration says otherwise."""

    model_types = ("gpt_neox",)
    layers = "gpt_neox.layers"
    embedding = "gpt_neox.embed_in"
    final_norm = "gpt_neox.final_layer_norm"
    unembedding = "lm_head"
    attention_out = "attention.dense"
    mlp_out = "mlp.dense_4h_to_h"
    layer_norm = True
    attention = "attention"
    attention_norm = "input_layernorm"
    mlp = "mlp"
    mlp_norm = "post_attention_layernorm"
    mlp_ins: ClassVar[Mapping[str, str]] = {"in": "mlp.dense_h_to_4h"}
    projections = ("query_key_value",)
    fused = "by_head"
    rotary = "halves"
    rotary_module = "gpt_neox.rotary_emb"

    @classmethod
    def shape(cls, config: Mapping[str, Any]) -> ModelShape:
        """Shape from the parsed ``config.json``; a missing key raises KeyError."""
        heads, d_model = config["num_attention_heads"], config["hidden_size"]
        return ModelShape(
            model_type=config["model_type"],
            n_layers=config["num_hidden_layers"],
            n_heads=heads,
            n_kv_heads=heads,
            d_head=d_model // heads,
            d_model=d_model,
            d_mlp=config["intermediate_size"],
            d_vocab=config["vocab_size"],
            n_positions=config.get("max_position_embeddings", 2048),
            gated_mlp=False,
            parallel_residual=config.get("use_parallel_residual", True),
            tied_embedding=config.get("tie_word_embeddings", False),
        )


class GPTJ(Architecture):
    """GPT-J: one norm per layer, read by attention and MLP in parallel."""

    model_types = ("gptj",)
    layers = "transformer.h"
    embedding = "transformer.wte"
    final_norm = "transformer.ln_f"
    unembedding = "lm_head"
    attention_out = "attn.out_proj"
    mlp_out = "mlp.fc_out"
    layer_norm = True
    attention = "attn"
    attention_norm = "ln_1"
    mlp = "mlp"
    mlp_norm = "ln_1"
    mlp_ins: ClassVar[Mapping[str, str]] = {"in": "mlp.fc_in"}
    projections: ClassVar[tuple[str, ...]] = ("q_proj", "k_proj", "v_proj")
    rotary: ClassVar[Literal["halves", "pairs"] | None] = "pairs"
    scores_in_float32 = True
    parallel_residual: ClassVar[bool] = True
    tied_by_default: ClassVar[bool] = False

    @classmethod
    def shape(cls, config: Mapping[str, Any]) -> ModelShape:
        """Shape from the parsed ``config.json``; a missing key raises KeyError."""
        d_model, inner = config["n_embd"], config.get("n_inner")
        return ModelShape(
            model_type=config["model_type"],
            n_layers=config["n_layer"],
            n_heads=config["n_head"],
            n_kv_heads=config["n_head"],
            d_head=d_model // config["n_head"],
            d_model=d_model,
            d_mlp=4 * d_model if inner is None else inner,
            d_vocab=config["vocab_size"],
            n_positions=config.get("n_positions", 1024),
            gated_mlp=False,
            parallel_residual=cls.parallel_residual,
            tied_embedding=config.get("tie_word_embeddings", cls.tied_by_default),
        )


class GPT2(GPTJ):
    """GPT-2: learned positions, attention then MLP; its projections store weights as [in, out]."""

    model_types = ("gpt2",)
    attention_out = "attn.c_proj"
    mlp_out = "mlp.c_proj"
    mlp_norm = "ln_2"
    mlp_ins: ClassVar[Mapping[str, str]] = {"in": "mlp.c_fc"}
    projections = ("c_attn",)
    fused = "by_kind"
    rotary = None
    scores_in_float32 = False
    parallel_residual = False
    tied_by_default = True


ARCHITECTURES: tuple[type[Architecture], ...] = (LlamaLike, GPTNeoX, GPTJ, GPT2)


def supported_model_types() -> list[str]:
    """Every ``model_type`` an adapter exists for."""
    return [name for arch in ARCHITECTURES for name in arch.model_types]


def architecture_of(model_type: str, where: Any = None) -> type[Architecture]:
    """The adapter for a configuration's ``model_type``; ModelError when there is none."""
    for arch in ARCHITECTURES:
        if model_type in arch.model_types:
            return arch
    raise ModelError(
        "The model's architecture is not supported.",
        where=where,
        value=f"model_type {model_type!r}",
        hint="Supported model types: " + ", ".join(supported_model_types()) + ".",
    )


def read_model_config(folder: Path) -> dict[str, Any]:
    """The parsed ``config.json`` of a model folder; ModelError when it is absent or unreadable."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelError(
            "The model's folder does not exist.",
            where=folder,
            hint="Download or train the model first, or correct the path in the configuration.",
        )
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            "The model's folder has no config.json.",
            where=folder,
            hint="The folder must be a Hugging Face model: config.json, *.safetensors, tokenizer.",
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            "The model's config.json cannot be read.",
            where=path,
            value=str(error),
            hint="Download the file again.",
        ) from error
    if not isinstance(config, dict):
        raise ModelError("The model's config.json is not a JSON object.", where=path)
    return config


def read_model_shape(folder: Path) -> ModelShape:
    """Shape of the model in a folder, from ``config.json`` alone: no weights, no torch.

    Raises ModelError for a missing folder or file, an unknown architecture or a missing entry.
    """
    config = read_model_config(folder)
    path = Path(folder) / "config.json"
    arch = architecture_of(str(config.get("model_type")), path)
    try:
        return _checked(arch.shape(config), path)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ModelError(
            "The model's config.json holds no sizes where sizes belong.",
            where=path,
            value=error,
            hint="Download the file again.",
        ) from error
    except KeyError as error:
        raise ModelError(
            "The model's config.json lacks an entry.",
            where=path,
            value=error.args[0],
            hint=f"A {config['model_type']} configuration states it; download the file again.",
        ) from error


def _checked(shape: ModelShape, path: Path) -> ModelShape:
    """The shape; ModelError unless its sizes are above 0 (no neurons: attention only)."""
    for name, size in asdict(shape).items():
        if name in SIZES and not (type(size) is int and (size > 0 or (name, size) == ("d_mlp", 0))):
            raise ModelError(
                "The model's config.json holds no sizes where sizes belong.",
                where=path,
                value=f"{name} = {size!r}",
                hint="Download the file again.",
            )
    return shape
