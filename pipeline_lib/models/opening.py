"""Loading the model that a manifest describes, or finding it where an earlier job has left it."""

import gc
import hashlib
import logging
import os
from pathlib import Path

import torch

from pipeline_lib import store
from pipeline_lib.models.files import defining_files
from pipeline_lib.models.loading import LanguageModel, load_model
from pipeline_lib.models.manifest import check_small_files
from pipeline_lib.warm.protocol import SHARE_VARIABLE

logger = logging.getLogger("pipeline_lib")

_Key = tuple[str, str, str]
_left: dict[_Key, LanguageModel] = {}
"""The model that stays in this process, at most one."""


def open_model(
    manifest: str | Path, *, dtype: str, device_map: str | None, own: bool = False
) -> LanguageModel:
    """Load the model a manifest describes; ``device_map`` None takes a GPU where there is one.

    In a process that runs several jobs (`pipeline_lib.warm.resident`) the model stays, and is the
    next job's if that asks for the same one. Give ``own`` where the model will be changed.
    """
    described = store.read_json(manifest)
    check_small_files(described)
    folder = Path(described["folder"])
    placed = device_map or ("cuda" if torch.cuda.is_available() else "cpu")
    key = (_identity(Path(manifest), folder), dtype, placed)
    if own or key not in _left:
        # before the next one is loaded: memory need not hold both
        _left.clear()
        gc.collect()
    if key in _left:
        logger.info("the model is still in memory")
        return _left[key]
    model = load_model(folder, name=described["name"], dtype=dtype, device_map=placed)
    if not own and os.environ.get(SHARE_VARIABLE) == "1":
        _left[key] = model
    return model


def leave_model() -> None:
    """After a job: keep the model for the next one, unless something still hooks into it."""
    if any(_is_hooked(model) for model in _left.values()):
        _left.clear()


def _is_hooked(model: LanguageModel) -> bool:
    return any(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
        for module in model.hf.modules()
    )


def _identity(manifest: Path, folder: Path) -> str:
    """Hash of what the model was loaded from: the manifest, and size and time of its files."""
    found = hashlib.sha256(manifest.read_bytes())
    for file in defining_files(folder):
        stat = file.stat()
        found.update(f"{file} {stat.st_size} {stat.st_mtime_ns}".encode())
    return found.hexdigest()
