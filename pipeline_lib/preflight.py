"""What can be found wrong before any job starts: model folders and the working folder."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from pipeline_lib.config import Config
from pipeline_lib.errors import BagpipeError, ConfigError, DiskError, ModelError
from pipeline_lib.stimuli.odd_one_out import Formats, People, example_pairs
from pipeline_lib.stimuli.people import read_people
from pipeline_lib.stimuli.power import read_pairs


def check_workspace(config: Config, folder: Path) -> None:
    """Raise one error that lists everything wrong with the models' folders and the data folder.

    ``folder`` is the working folder of the run. Raises ModelError or DiskError (the only problem),
    or a BagpipeError with all problems.
    """
    problems = [*_folder_problems(folder), *_links_outside(config, folder)]
    for name in _studied_models(config):
        model = config.model(name)
        if model.source == "local":
            problems += _model_problems(folder / model.path, name)
        if model.source == "planted":
            problems += _occupied(folder / "data" / "models" / name, name)
    problems += [*_pair_problems(config, folder), *_people_problems(config, folder)]
    if len(problems) == 1:
        raise problems[0]
    if problems:
        listed = "\n".join(f"- {problem}" for problem in problems)
        raise BagpipeError(f"{len(problems)} problems were found before any job started:\n{listed}")


def _studied_models(config: Config) -> list[str]:
    """Models of the studies and the checkpoints beside them, each once."""
    models = list(config.arithmetic.models) if config.arithmetic.enabled else []
    beside = [f"{name}@{step}" for name in models for step in config.checkpoints_of(name)]
    others = [name for study in config.enabled_sisters() for name in config.study(study).models]
    return list(dict.fromkeys([*models, *beside, *others]))


def _links_outside(config: Config, folder: Path) -> Iterator[BagpipeError]:
    """Links must not lead out of the project unless the config says so; ``data`` may be a link."""
    study, power = config.odd_one_out, config.power
    paths = [("odd_one_out.people", study.people, study.outside_project)]
    paths.append(("power.pairs", power.pairs or "", power.outside_project))
    for name in _studied_models(config):
        model = config.model(name)
        if model.source == "local":
            paths.append((f"models.{name}.path", model.path, model.outside_project))
    rooms = (folder.resolve(), (folder / "data").resolve())
    for key, path, allowed in paths:
        real = (folder / path).resolve()
        if not allowed and not any(real.is_relative_to(room) for room in rooms):
            yield ConfigError(
                "a link leads out of the project",
                where=f"{key}: {path}",
                value=real,
                hint=f"Set outside_project: true beside {key} if that is meant.",
            )


def _pair_problems(config: Config, folder: Path) -> Iterator[BagpipeError]:
    """The user's own sentence pairs can be read and used."""
    if config.power.pairs is not None:
        try:
            read_pairs(folder / config.power.pairs)
        except BagpipeError as error:
            yield error


def _people_problems(config: Config, folder: Path) -> Iterator[BagpipeError]:
    """The user's own table of people can be used, and so can the pairs written out."""
    study = config.odd_one_out
    try:
        table = read_people(folder / study.people if study.people else None)
        people = People(table, study.grid.least_people)
        formats = Formats(**study.formats.model_dump())
        example_pairs([example.model_dump() for example in study.examples], people, formats)
    except BagpipeError as error:
        yield error


def _folder_problems(folder: Path) -> Iterator[BagpipeError]:
    for name in ("data", "figs"):
        path = folder / name
        existing = path if path.exists() else folder
        if not os.access(existing, os.W_OK):
            yield DiskError(
                "the folder cannot be written",
                where=existing,
                hint="Change its permissions or choose another working folder (--directory).",
            )


def _occupied(folder: Path, name: str) -> Iterator[BagpipeError]:
    """A folder that holds another model would lose its weights to the planted one."""
    if any(folder.glob("*.safetensors")) and not (folder / "planted.json").exists():
        yield ModelError(
            "the folder of a planted model holds another model",
            where=f"models.{name}: {folder}",
            hint="Give the planted model another name.",
        )


def _model_problems(folder: Path, name: str) -> Iterator[BagpipeError]:
    where = f"models.{name}: {folder}"
    if not folder.is_dir():
        yield ModelError(
            "the model's folder does not exist",
            where=where,
            hint=f"Set models.{name}.path to a folder with config.json and *.safetensors.",
        )
        return
    try:
        json.loads((folder / "config.json").read_text())
    except (OSError, ValueError, RecursionError) as error:
        yield ModelError("the model's config.json cannot be read", where=where, value=error)
    if not any(folder.glob("*.safetensors")):
        yield ModelError(
            "the model's folder has no weights (*.safetensors)",
            where=where,
            hint="Copy the safetensors files there; pickled weights (*.bin, *.pt) are never read.",
        )
    if not (folder / "tokenizer.json").exists():
        yield ModelError("the model's folder has no tokenizer.json", where=where)
