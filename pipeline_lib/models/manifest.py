"""The manifest of a model: where it comes from, checksums of its files, its shape.

Every stage takes the manifest as its input, so a model whose files change makes its stages stale,
and a model whose folder is only touched does not.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline_lib.models.architectures import read_model_shape
from pipeline_lib.models.checksums import sha256
from pipeline_lib.models.files import defining_files, weight_files


def describe_model(folder: Path, name: str, source: Mapping[str, Any]) -> dict[str, Any]:
    """Manifest of the model in ``folder``: name, source, sha256 of its files, shape.

    Raises ModelError for a folder without config or weights and for unknown architectures.
    """
    shape = read_model_shape(folder)
    weight_files(folder)
    return {
        "name": name,
        "folder": str(folder),
        "source": dict(source),
        "files": {path.name: sha256(path) for path in defining_files(folder)},
        "shape": asdict(shape),
    }
