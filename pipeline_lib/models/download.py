"""Fetching a model from the Hugging Face hub into a local folder."""

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from pipeline_lib.errors import ModelError
from pipeline_lib.models.architectures import read_model_shape
from pipeline_lib.models.files import weight_files

# Weights as safetensors, configuration, tokenizer; never pickles and never code.
HUB_FILES = ["*.safetensors", "*.json", "tokenizer.model", "*.tiktoken", "merges.txt", "vocab.txt"]

_HINTS: list[tuple[type[Exception], str]] = [
    (GatedRepoError, "Accept the model's licence on its page and set HF_TOKEN."),
    (RepositoryNotFoundError, "Check the repository's name; a private one needs HF_TOKEN."),
    (RevisionNotFoundError, "Check the revision: a branch, tag or commit of the repository."),
    (HFValidationError, 'A repository is written "owner/name".'),
]


def download_model(repo: str, revision: str, folder: Path) -> Path:
    """Download one revision of a hub model (safetensors, JSON and tokenizer files) to ``folder``.

    Raises ModelError when the hub cannot be reached, the repository or revision does not exist, or
    it holds no safetensors or an unsupported architecture.
    """
    try:
        snapshot_download(repo, revision=revision, local_dir=str(folder), allow_patterns=HUB_FILES)
    except (OSError, HFValidationError) as error:  # hub and connection errors are OSErrors
        hint = "Is the machine online? Otherwise copy the model's folder there by hand."
        raise ModelError(
            "The model cannot be downloaded from the Hugging Face hub.",
            where=f"{repo} at {revision}",
            value=(str(error).strip().splitlines() or [type(error).__name__])[0],
            hint=next((text for kind, text in _HINTS if isinstance(error, kind)), hint),
        ) from error
    read_model_shape(folder)
    weight_files(folder)
    return Path(folder)
