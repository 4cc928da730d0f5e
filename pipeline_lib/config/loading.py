"""From plain values, as a YAML file gives them, to a checked configuration."""

import copy
import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import ValidationError

from pipeline_lib.config.arithmetic import ArithmeticStudy
from pipeline_lib.config.base import Section
from pipeline_lib.config.docs import schema_tree
from pipeline_lib.config.files import read_yaml, refuse_endless
from pipeline_lib.config.problems import InvalidConfigError, Problem, did_you_mean, explain
from pipeline_lib.config.root import Config
from pipeline_lib.config.schema import Path, dotted
from pipeline_lib.errors import ConfigError

DEFAULT_PRESET = "paper"
SAME_FOR_ALL_MODELS = ("enabled", "models", "operators", "seeds", "heuristics.rule")
INTEGER = re.compile(r"-?[0-9]{1,20}")
NUMBER = re.compile(r"-?[0-9]{0,20}\.?[0-9]{1,20}([eE][-+]?[0-9]{1,3})?")
Presets = Mapping[str, Mapping[Any, Any]]
SectionType = TypeVar("SectionType", bound=Section)


def load_config(raw: Mapping[Any, Any], *, presets: FilePath | str | Presets) -> Config:
    """The checked configuration: the preset's values, overridden by the user's ``raw`` values.

    ``presets`` maps names to values, or is a folder with one YAML file each. ``raw`` is unchanged.
    Raises InvalidConfigError (a ConfigError) that lists all problems at once.
    """
    known = presets if isinstance(presets, Mapping) else read_presets(presets)
    refuse_endless(raw)
    user, problems = _plain_block(raw), []
    name = user.setdefault("preset", DEFAULT_PRESET)
    if not isinstance(name, str) or name not in known:
        must = f"must be one of {', '.join(known)}{did_you_mean(str(name), known)}"
        problems.append(Problem(("preset",), must, name))
        name = user["preset"] = DEFAULT_PRESET
    config, found = _settle(Config, user, known.get(name, {}))
    problems += found
    if config is not None:
        studies, found = _studies(config.arithmetic, merge(known.get(name, {}), user))
        problems += found
        config._arithmetic.update(studies)
    if problems or config is None:
        raise InvalidConfigError(problems)
    return config


def read_presets(folder: FilePath | str) -> dict[str, dict[Any, Any]]:
    """The presets of a folder: name to values, ``paper`` first, then by name.

    Raises ConfigError when there is none or one cannot be read.
    """
    files = sorted(
        FilePath(folder).glob("*.yaml"), key=lambda p: (p.stem != DEFAULT_PRESET, p.stem)
    )
    if not files:
        raise ConfigError("There are no presets.", where=folder, hint="Expected: paper.yaml")
    return {file.stem: read_yaml(file) for file in files}


def merge(below: Mapping[Any, Any], above: Mapping[Any, Any]) -> dict[Any, Any]:
    """``above`` over ``below``: blocks are merged key by key, lists and values are replaced."""
    merged = {key: copy.deepcopy(value) for key, value in below.items()}
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if both else copy.deepcopy(value)  # type: ignore[arg-type]
    return merged


def _studies(
    study: ArithmeticStudy, values: Mapping[str, Any]
) -> tuple[dict[str, ArithmeticStudy], list[Problem]]:
    """The arithmetic study of each model that overrides some of it, and what is wrong there."""
    studies: dict[str, ArithmeticStudy] = {}
    problems: list[Problem] = []
    for name, override in _overrides(values):
        prefix: Path = ("models", name, "arithmetic")
        fixed = [key.split(".") for key in SAME_FOR_ALL_MODELS if _is_set(override, key)]
        problems += [Problem((*prefix, *key), "cannot differ between models") for key in fixed]
        below = study.model_dump(mode="json")
        settled, found = _settle(ArithmeticStudy, override, below, prefix)
        problems += found
        if settled is not None:
            studies[name] = settled
    return studies, problems


def _is_set(values: Any, key: str) -> bool:
    first, _, rest = key.partition(".")
    if not isinstance(values, Mapping) or first not in values:
        return False
    return not rest or _is_set(values[first], rest)


def _overrides(values: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    models = values.get("models")
    for name, model in models.items() if isinstance(models, Mapping) else ():
        override = model.get("arithmetic") if isinstance(model, Mapping) else None
        if isinstance(override, Mapping) and override:
            yield name, _plain_block(override)


def _settle(
    section: type[SectionType], user: dict[str, Any], below: Mapping[str, Any], prefix: Path = ()
) -> tuple[SectionType | None, list[Problem]]:
    """The section, and all problems of the user's values, found by taking faulty ones out.

    A section checks its cross-field rules only when all its values are valid; so faulty values are
    removed (the values below show through) until the rest can be checked. Rules that involve a
    removed value are not reported.
    """
    user = copy.deepcopy(user)
    problems: list[Problem] = []
    removed: set[Path] = set()
    while True:
        try:
            return section.model_validate(merge(below, _fill(user, prefix))), problems
        except ValidationError as error:
            found = explain(error, schema_tree(), prefix)
        listed = {str(problem) for problem in problems}
        problems += [p for p in found if str(p) not in listed and not _follows_from(p, removed)]
        gone = _remove_all(user, [problem.path for problem in found], len(prefix))
        if not gone:
            return None, problems
        removed |= gone


def _follows_from(problem: Problem, removed: set[Path]) -> bool:
    """Whether a problem is due to values that were taken out: one missing, or a contradiction."""
    gone = {dotted(path) for path in removed}
    keys = problem.involves or (problem.key,)
    return any(key == one or key.startswith(f"{one}.") for key in keys for one in gone)


def _remove_all(user: dict[str, Any], paths: list[Path], start: int) -> set[Path]:
    """Take the values at ``paths`` out of ``user``, whose keys begin at index ``start`` of a path.

    Where a value is not there, the innermost block around it goes; a list goes as a whole. Returns
    the keys that were removed.
    """
    removed: set[Path] = set()
    for path in paths:
        if any(path[: len(gone)] == gone for gone in removed):
            continue
        parent, node, depth = user, user, start
        while depth < len(path) and isinstance(node, dict) and path[depth] in node:
            parent, node, depth = node, node[str(path[depth])], depth + 1
        if depth > start:
            del parent[str(path[depth - 1])]
            removed.add(path[:depth])
    return removed


def _plain_block(raw: Any) -> dict[str, Any]:
    """``raw`` as plain dicts and lists with text keys."""
    if not isinstance(raw, Mapping):
        raise InvalidConfigError([Problem((), "must be a block of keys", raw)])
    return {str(key): _plain_value(value) for key, value in raw.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _plain_block(value)
    return [_plain_value(item) for item in value] if isinstance(value, list | tuple) else value


def _fill(value: Any, path: Path) -> Any:
    """The value with empty blocks (``training:``, nothing below) as {} and texts as they are meant.

    Snakemake reads every value inside ``--config arithmetic='{seeds: [7]}'`` as text; where the
    schema wants a number, true, false or null, such a text is taken for it.
    """
    if isinstance(value, dict):
        return {key: _fill(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, (*path, index)) for index, item in enumerate(value)]
    if value is not None and not isinstance(value, str):
        return value
    kinds = schema_tree().kinds(schema_tree().resolve(path)[1])
    if value is None:
        return {} if kinds == {"object"} else None
    return _meant(value, kinds)


def _meant(text: str, kinds: set[str]) -> Any:
    words: dict[str, Any] = {"true": True, "false": False} if "boolean" in kinds else {}
    words |= {"null": None} if "null" in kinds else {}
    if text.lower() in words:
        return words[text.lower()]
    for kind, pattern, read in (("integer", INTEGER, int), ("number", NUMBER, float)):
        if kind in kinds and pattern.fullmatch(text):
            return read(text)
    return text
