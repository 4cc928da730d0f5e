"""Shape of a model before it is loaded: from its folder, or from the config's ``shape`` block.

The largest number that the tokenizer writes as one token is asked for by arithmetic alone.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from pipeline_lib.config import Config, HubModel, LocalModel, PackageModel, PlantedModel
from pipeline_lib.config.models import ModelSizes
from pipeline_lib.errors import ModelError, TokenizerError
from pipeline_lib.models.architectures import ModelShape, read_model_shape
from pipeline_lib.models.planted.network import model_shape
from pipeline_lib.models.planted.settings import MAX_NUMBER

LIMIT = 9_999


def find_shape(config: Config, name: str, root: Path) -> tuple[ModelShape, int | None]:
    """Shape, and bytes of the weight files (None: not there yet).

    ``root`` is the working folder of the run. Raises ModelError when the shape is unknown, or when
    the ``shape`` block contradicts the model's config.json.
    """
    settings = config.model(name)
    if isinstance(settings, PlantedModel):
        return model_shape(), _weight_bytes(root / "data" / "models" / name)
    sizes, folder = _sizes(settings), _folder(settings, name, root)
    if folder is None:
        if sizes is None:
            raise _unknown(settings, name, root)
        return from_sizes(sizes), None
    shape = read_model_shape(folder)
    if sizes is not None:
        _check_agreement(sizes, shape, name, folder)
    return shape, _weight_bytes(folder)


def find_max_number(config: Config, name: str, root: Path) -> int:
    """Largest single-token number of a model, from its tokenizer or its ``shape`` block.

    Raises TokenizerError where neither tells.
    """
    settings = config.model(name)
    if isinstance(settings, PlantedModel):
        return MAX_NUMBER
    sizes, folder = _sizes(settings), _folder(settings, name, root)
    file = None if folder is None else folder / "tokenizer.json"
    if file is not None and file.exists():
        return _largest_number(file.read_text(encoding="utf-8"), str(file))
    if sizes is not None and sizes.max_number is not None:
        return sizes.max_number
    base = name.partition("@")[0]
    raise TokenizerError(
        "The numbers of the model's tokenizer are unknown.",
        where=folder or f"models.{base}.shape",
        hint="The folder must hold tokenizer.json."
        if folder
        else f"Set models.{base}.shape.max_number, which the arithmetic study needs.",
    )


def _sizes(settings: LocalModel | HubModel | PackageModel) -> ModelSizes | None:
    """The ``shape`` block, if any."""
    return None if isinstance(settings, LocalModel) else settings.shape


def _folder(settings: LocalModel | HubModel | PackageModel, name: str, root: Path) -> Path | None:
    """The folder that holds the model's config.json, if it is there."""
    folder = next(filter(Path.is_dir, _folders(settings, name, root)), None)
    return folder if folder is not None and (folder / "config.json").exists() else None


def _weight_bytes(folder: Path) -> int | None:
    """Bytes of the weight files; None where there are none yet."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) or None


def from_sizes(sizes: ModelSizes) -> ModelShape:
    """The shape that a config's ``shape`` block describes."""
    values = sizes.model_dump(exclude={"max_number"})
    return ModelShape(model_type="unknown", n_positions=0, **values)


def _folders(
    settings: LocalModel | HubModel | PackageModel, name: str, root: Path
) -> Iterator[Path]:
    """Where config.json may lie: the model's folder; for a hub's checkpoint also its model's."""
    if isinstance(settings, LocalModel):
        yield root / settings.path
        return
    yield root / "data" / "models" / name
    yield root / "data" / "models" / name.partition("@")[0]


def _unknown(settings: LocalModel | HubModel | PackageModel, name: str, root: Path) -> ModelError:
    base = name.partition("@")[0]
    if isinstance(settings, LocalModel):
        hint = f"Set models.{base}.path to a folder with a config.json."
        return ModelError("The model's shape is unknown.", where=root / settings.path, hint=hint)
    hint = (
        f"Give its sizes under models.{base}.shape (config/README.md), or download it first: "
        f"snakemake --cores 1 data/models/{name}/download.json"
    )
    return ModelError("The model's shape is unknown.", where=f"models.{base}", hint=hint)


def _check_agreement(sizes: ModelSizes, shape: ModelShape, name: str, folder: Path) -> None:
    stated = sizes.model_dump(exclude={"max_number"})
    wrong = [key for key, value in stated.items() if getattr(shape, key) != value]
    if wrong:
        told = ", ".join(f"{key} {stated[key]} (found {getattr(shape, key)})" for key in wrong)
        raise ModelError(
            "The config's shape contradicts the model's config.json.",
            where=f"models.{name.partition('@')[0]}.shape and {folder / 'config.json'}",
            value=told,
            hint="Correct the shape, or leave it out: the downloaded file is enough.",
        )


@lru_cache(maxsize=64)
def _largest_number(text: str, where: str) -> int:
    """Largest n such that 0 to n are all in the vocabulary.

    What a run measures (`NumberTokens.measure`) can only be smaller, where merges keep a number of
    the vocabulary from being written as one token.
    """
    try:
        vocabulary = json.loads(text)["model"]["vocab"]
        words = [entry[0] if isinstance(entry, list) else entry for entry in vocabulary]
    except (ValueError, KeyError, TypeError) as error:
        raise TokenizerError(
            "The model's tokenizer.json cannot be read.", where=where, value=error
        ) from None
    known = {str(word).lstrip("▁Ġ") for word in words}
    return next((n - 1 for n in range(LIMIT + 1) if str(n) not in known), LIMIT)
