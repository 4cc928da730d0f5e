"""The manifest of a model: where it comes from, checksums of its files, its shape.

Every stage takes the manifest as its input, so a model whose files change makes its stages stale,
and a model whose folder is only touched does not.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline_lib import store
from pipeline_lib.errors import ModelError
from pipeline_lib.models.architectures import read_model_shape
from pipeline_lib.models.files import MOVING_REVISIONS, defining_files, weight_files
from pipeline_lib.store.digests import sha256_of

SMALL = 1 << 26


def check_same_weights(folder: Path, source: Mapping[str, Any]) -> None:
    """Raise ModelError when a second download of a model brought other weights than the first.

    The manifest of the first is beside them; one of another source says nothing, and neither does
    that of a revision that moves.
    """
    manifest = folder / "manifest.json"
    if not manifest.exists():
        return
    first = store.read_json(manifest)
    if first.get("source") != dict(source) or source.get("revision") in MOVING_REVISIONS:
        return
    for path in weight_files(folder):
        if (found := sha256_of(path)) != first.get("files", {}).get(path.name, found):
            raise ModelError(
                "The download is not what came under this name before.",
                where=path,
                value=f"sha256 {found}, before {first['files'][path.name]}",
                hint="A damaged download, or other content under the same revision. If you trust "
                f"it, delete {manifest}.",
            )


def check_small_files(described: Mapping[str, Any]) -> None:
    """Raise ModelError when a file of a model (up to `SMALL` bytes) is not as its manifest says.

    Larger ones are left to ``python -m pipeline_lib check``: reading them takes as long as loading.
    """
    for name, digest in described["files"].items():
        path = Path(described["folder"]) / name
        if path.is_file() and path.stat().st_size <= SMALL and sha256_of(path) != digest:
            raise ModelError(
                "The model's file is not the one its manifest describes.",
                where=path,
                hint="If it was changed on purpose, run snakemake --forcerun describe_model; "
                "otherwise restore it.",
            )


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
        "files": {path.name: sha256_of(path) for path in defining_files(folder)},
        "shape": asdict(shape),
    }
