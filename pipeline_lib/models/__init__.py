"""Models: adapters per architecture, loading from a Hugging Face folder, number tokens."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pipeline_lib.models.architectures import ModelShape, read_model_shape

if TYPE_CHECKING:
    from pipeline_lib.models.download import download_model
    from pipeline_lib.models.loading import LanguageModel, load_model, load_tokenizer
    from pipeline_lib.models.tokens import NumberTokens

__all__ = [
    "LanguageModel",
    "ModelShape",
    "NumberTokens",
    "download_model",
    "load_model",
    "load_tokenizer",
    "read_model_shape",
]

# Imported on first use, because they bring in torch (over a second).
_HOME = {
    "LanguageModel": "loading",
    "load_model": "loading",
    "load_tokenizer": "loading",
    "NumberTokens": "tokens",
    "download_model": "download",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"pipeline_lib.models.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
