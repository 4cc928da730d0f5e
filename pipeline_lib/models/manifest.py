"""The manifest of a model: where it comes from, checksums of its files, its shape.

Every stage takes the manifest as its input, so a model whose files change makes its stages stale,
and a model whose folder is only touched does not.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline_lib.models.architectures import read_model_shape
from pipeline_lib.models.files import weight_files

TOKENIZER_FILES = "tokenizer*"


def sha256(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe_model(folder: Path, name: str, source: Mapping[str, Any]) -> dict[str, Any]:
    """Manifest of the model in ``folder``: name, source, sha256 of its files, shape.

    Raises ModelError for a folder without config or weights and for unknown architectures.
    """
    shape = read_model_shape(folder)
    files = [*weight_files(folder), folder / "config.json", *sorted(folder.glob(TOKENIZER_FILES))]
    return {
        "name": name,
        "folder": str(folder),
        "source": dict(source),
        "files": {path.name: sha256(path) for path in files},
        "shape": asdict(shape),
    }
