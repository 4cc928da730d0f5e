"""Loading a language model from a local Hugging Face folder: safetensors only, no remote code."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.modeling_utils import PreTrainedModel
from transformers.pytorch_utils import Conv1D
from transformers.tokenization_utils_base import PreTrainedTokenizerBase
from transformers.utils import logging as hf_logging

from pipeline_lib.errors import ModelError, TokenizerError
from pipeline_lib.models.architectures import (
    Architecture,
    ModelShape,
    architecture_of,
    read_model_shape,
)
from pipeline_lib.models.files import weight_files

DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
UNEMBEDDING_BIAS = "lm_head.bias"


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model ready for interventions: eval mode, parameters without gradients."""

    name: str
    hf: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    arch: type[Architecture]
    shape: ModelShape

    @property
    def n_layers(self) -> int:
        """Decoder layers."""
        return self.shape.n_layers

    @property
    def n_heads(self) -> int:
        """Query heads of a layer."""
        return self.shape.n_heads

    @property
    def d_head(self) -> int:
        """Width of one head."""
        return self.shape.d_head

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return self.shape.d_model

    @property
    def d_mlp(self) -> int:
        """Neurons of one MLP."""
        return self.shape.d_mlp

    @property
    def d_vocab(self) -> int:
        """Entries of the vocabulary."""
        return self.shape.d_vocab

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights and activations."""
        return self.hf.dtype

    @property
    def device(self) -> torch.device:
        """Where tokens go in: the device of the embedding."""
        return next(self.embedding.parameters()).device

    @cached_property
    def embedding(self) -> nn.Module:
        """The token embedding."""
        return self.hf.get_submodule(self.arch.embedding)

    @cached_property
    def final_norm(self) -> nn.Module:
        """The norm in front of the unembedding."""
        return self.hf.get_submodule(self.arch.final_norm)

    @cached_property
    def unembedding(self) -> nn.Module:
        """The projection to the vocabulary; its weight is [vocab, d_model]."""
        return self.hf.get_submodule(self.arch.unembedding)

    @cached_property
    def layers(self) -> list[nn.Module]:
        """The decoder layers."""
        return [self.hf.get_submodule(f"{self.arch.layers}.{n}") for n in range(self.n_layers)]

    @cached_property
    def attention_outs(self) -> list[nn.Module]:
        """Output projections of the layers' attention; their input is z, the heads side by side."""
        return [layer.get_submodule(self.arch.attention_out) for layer in self.layers]

    @cached_property
    def mlp_outs(self) -> list[nn.Module]:
        """Output projections of the layers' MLPs; their input is mlp_post."""
        return [layer.get_submodule(self.arch.mlp_out) for layer in self.layers]

    def w_o(self, layer: int) -> Float[Tensor, "head d_head d_model"]:
        """What each head writes: W_O sliced by query heads."""
        weight = _in_out_weight(self.attention_outs[layer])
        return weight.reshape(self.n_heads, self.d_head, self.d_model)

    def w_out(self, layer: int) -> Float[Tensor, "d_mlp d_model"]:
        """What each MLP neuron writes: row n of W_out is the value vector of neuron n."""
        return _in_out_weight(self.mlp_outs[layer])

    def w_in(self, layer: int, name: str) -> Float[Tensor, "d_mlp d_model"]:
        """What each MLP neuron reads with, by name: "gate" or "up" of a gated MLP, else "in"."""
        return _in_out_weight(self.layers[layer].get_submodule(self.arch.mlp_ins[name])).T


def _in_out_weight(projection: nn.Module) -> Float[Tensor, "d_in d_out"]:
    weight: Tensor = projection.weight  # type: ignore[assignment]
    return weight if isinstance(projection, Conv1D) else weight.T


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model folder, without loading weights; TokenizerError when it fails."""
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # transformers raises many kinds, none of them for users
        raise TokenizerError(
            "The model's tokenizer cannot be loaded.",
            where=folder,
            value=str(error).splitlines()[0] if str(error) else type(error).__name__,
            hint="The folder must hold tokenizer.json and tokenizer_config.json.",
        ) from error
    return tokenizer


def load_model(
    folder: Path,
    *,
    name: str | None = None,
    dtype: str = "float32",
    device_map: str | dict[str, Any] | None = None,
) -> LanguageModel:
    """Load a causal language model and its tokenizer from a local Hugging Face folder.

    ``dtype`` is one of float32, float64, bfloat16, float16; ``device_map`` as in transformers
    (None: CPU). Nothing is downloaded, no remote code runs, no pickle is read.
    Raises ModelError for a missing folder, configuration or weight file, an unknown architecture,
    damaged, incomplete or non-finite weights; TokenizerError when the tokenizer cannot be loaded.
    """
    folder = Path(folder)
    shape = read_model_shape(folder)
    weight_files(folder)
    if dtype not in DTYPES:
        raise ModelError(
            "Unknown dtype for a model.",
            where=folder,
            value=repr(dtype),
            hint="Choose one of " + ", ".join(DTYPES) + ".",
        )
    hf = _load_weights(folder, DTYPES[dtype], device_map)
    check_finite_weights(hf, folder)
    hf.eval().requires_grad_(False)
    return LanguageModel(
        name=name or folder.name,
        hf=hf,
        tokenizer=load_tokenizer(folder),
        arch=architecture_of(shape.model_type, folder),
        shape=shape,
    )


def untrained_twin(model: LanguageModel, seed: int) -> LanguageModel:
    """A model of the same architecture and tokenizer with the random weights training starts from.

    The weights are those the architecture's own initialisation draws with this seed.
    """
    device = model.device
    with torch.random.fork_rng(), quiet_transformers():
        torch.manual_seed(seed)
        hf = AutoModelForCausalLM.from_config(model.hf.config, dtype=model.dtype)
    hf.to(device).eval().requires_grad_(False)
    return replace(model, name=f"{model.name}, untrained", hf=hf)


def _load_weights(
    folder: Path, dtype: torch.dtype, device_map: str | dict[str, Any] | None
) -> PreTrainedModel:
    try:
        with quiet_transformers():
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                str(folder),
                dtype=dtype,
                device_map=device_map,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except (SafetensorError, OSError, ValueError, RuntimeError, ImportError) as error:
        raise ModelError(
            "The model's weights cannot be loaded.",
            where=folder,
            value=str(error).strip().splitlines()[0] if str(error) else type(error).__name__,
            hint="A truncated or foreign file: download the model again.",
        ) from error
    hf, info = loaded  # because of output_loading_info
    # transformers fills absent tensors with random numbers and only warns
    if UNEMBEDDING_BIAS in info["unexpected_keys"]:
        _add_unembedding_bias(hf, folder)
    absent = sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"]]))
    if absent:
        raise ModelError(
            f"The model's weight files lack {len(absent)} tensor(s) of the right shape.",
            where=folder,
            value=", ".join(absent[:3]) + (", ..." if len(absent) > 3 else ""),
            hint="The weights do not belong to this config.json, or a shard is missing.",
        )
    return hf


def _add_unembedding_bias(hf: PreTrainedModel, folder: Path) -> None:
    """Some converted models have a bias that their class in transformers lacks."""
    for file in weight_files(folder):
        with safe_open(file, framework="pt") as tensors:
            if UNEMBEDDING_BIAS in tensors.keys():  # noqa: SIM118  (not a mapping)
                bias = tensors.get_tensor(UNEMBEDDING_BIAS)
    unembedding = hf.get_submodule("lm_head")
    unembedding.bias = nn.Parameter(bias.to(unembedding.weight), requires_grad=False)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No progress bars or load reports: the library prints nothing, problems become errors."""
    verbosity, bars = hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()
    hf_logging.set_verbosity_error()
    hf_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # MLPs without neurons
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")
            yield
    finally:
        hf_logging.set_verbosity(verbosity)
        if bars:
            hf_logging.enable_progress_bar()


def check_finite_weights(hf: nn.Module, where: Any = None) -> None:
    """Raise ModelError naming the first weight tensor that holds NaN or infinite values."""
    for name, parameter in hf.named_parameters():
        if parameter.is_meta or bool(torch.isfinite(parameter).all()):
            continue
        bad = int((~torch.isfinite(parameter)).sum())
        raise ModelError(
            "The model's weights hold NaN or infinite values.",
            where=f"{where}: tensor {name}",
            value=f"{bad} of {parameter.numel()} entries",
            hint="The file is damaged, or the dtype is too narrow for it: try float32 or bfloat16.",
        )
