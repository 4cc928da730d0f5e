"""The files of a model's folder."""

from pathlib import Path

from pipeline_lib.errors import ModelError

MOVING_REVISIONS = ("main", "master", "HEAD", "latest")
"""Revisions of a repository that stand for another commit whenever it is updated."""


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model folder, sorted; ModelError when there are none."""
    files = sorted(Path(folder).glob("*.safetensors"))
    if files:
        return files
    others = sorted(p.name for p in Path(folder).glob("*") if p.suffix in {".bin", ".pt", ".pth"})
    raise ModelError(
        "The model's folder has no weights (*.safetensors).",
        where=folder,
        value=f"only {', '.join(others)}" if others else None,
        hint="Only safetensors are read, because pickled weights can run code. Download the model "
        "again, or convert it with save_pretrained.",
    )
