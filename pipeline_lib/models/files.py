"""The files of a model's folder."""

from pathlib import Path

from pipeline_lib.errors import ModelError

MOVING_REVISIONS = ("main", "master", "HEAD", "latest")
"""Revisions of a repository that stand for another commit whenever it is updated."""
DEFINING = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template*",
    "vocab.*",
    "merges.txt",
    "*.model",
)
"""Patterns of all that loading a model and its tokenizer reads and that can change a result.

Not generation_config.json: nothing is generated with it.
"""


def defining_files(folder: Path) -> list[Path]:
    """The files of a model's folder that say what it computes, sorted by name."""
    found = {path for pattern in DEFINING for path in Path(folder).glob(pattern)}
    return sorted(path for path in found if path.is_file())


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
