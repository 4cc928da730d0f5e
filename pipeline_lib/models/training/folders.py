"""Model folders in the Hugging Face layout, written so that they load anywhere."""

import copy
import json
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Keys that describe the session that wrote a file, not the model.
_TRACES = ("_name_or_path", "name_or_path", "is_local", "local_files_only", "backend")


def save_folder(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    dtype: torch.dtype = torch.float32,
) -> PreTrainedModel:
    """Write model (safetensors, weights as ``dtype``) and tokenizer; return the model as stored.

    The returned float32 copy has the values of the file, so what is measured on it holds for the
    folder. Neither ``model`` nor its dtype is changed.
    """
    # The wrapper around `to` in transformers hides its signature from type checkers.
    stored = copy.deepcopy(model).to(dtype)  # type: ignore[arg-type]
    stored.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _tidy(folder / "config.json")
    _tidy(folder / "generation_config.json")
    # The class name that both transformers 4 and 5 understand.
    _tidy(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    for file in folder.iterdir():
        file.chmod(0o644)  # safetensors are written for the owner only
    return stored.float().eval()


def _tidy(file: Path, **changes: str) -> None:
    values = json.loads(file.read_text()) | changes
    kept = {key: value for key, value in values.items() if key not in _TRACES}
    file.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
