"""Loading the model that a manifest describes."""

from pathlib import Path

import torch

from pipeline_lib import store
from pipeline_lib.models.loading import LanguageModel, load_model
from pipeline_lib.models.manifest import check_small_files


def open_model(manifest: str | Path, *, dtype: str, device_map: str | None) -> LanguageModel:
    """Load the model a manifest describes; ``device_map`` None takes a GPU where there is one."""
    described = store.read_json(manifest)
    check_small_files(described)
    placed = device_map or ("cuda" if torch.cuda.is_available() else "cpu")
    return load_model(
        Path(described["folder"]), name=described["name"], dtype=dtype, device_map=placed
    )
