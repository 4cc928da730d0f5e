"""What is wrong with a configuration, in words: key, value, what is allowed, the nearest key."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipeline_lib.config.base import Conflict
from pipeline_lib.config.schema import Node, Path, SchemaTree, dotted
from pipeline_lib.errors import ConfigError

UNSET = object()
SPELLINGS = {"+": "add", "-": "sub", "*": "mul", "/": "div", "x": "mul", "×": "mul", "÷": "div"}


@dataclass(frozen=True)
class Problem:
    """One thing to mend: where it is, what is wrong, and the value found there."""

    path: Path
    text: str
    value: Any = UNSET
    involves: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The dotted key, for example ``arithmetic.seeds[1]``."""
        return dotted(self.path)

    def __str__(self) -> str:
        shown = "" if self.value is UNSET else f" = {_short(self.value)}"
        return f"{self.key or 'configuration'}{shown}: {self.text}"


class InvalidConfigError(ConfigError):
    """A configuration with all its problems (``problems``), listed in one message."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        listed = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(
            f"The configuration has {count}:\n{listed}",
            hint="config/README.md lists every key with its allowed values.",
        )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean "..."?`` with the nearest known name, or an empty string."""
    known = list(known)
    near = SPELLINGS[name] if SPELLINGS.get(name) in known else _closest(name, known)
    return f'; did you mean "{near}"?' if near else ""


def explain(error: ValidationError, tree: SchemaTree, prefix: Path = ()) -> list[Problem]:
    """The problems behind a pydantic error, each key once; ``prefix`` is put before the keys."""
    found: dict[str, Problem] = {}
    for detail in error.errors():
        for problem in _explain(detail, (*prefix, *detail["loc"]), tree):
            found.setdefault(f"{problem.key}: {problem.text}", problem)
    return list(found.values())


def _explain(detail: ErrorDetails, location: Path, tree: SchemaTree) -> list[Problem]:
    path, node = tree.resolve(location)
    kind, value = detail["type"], detail["input"]
    if kind == "conflict":
        return [_from_conflict(path, conflict) for conflict in detail["ctx"]["conflicts"]]
    if path and path[-1] == "[key]":
        names = tree.resolve(location[:-2])[1].get("propertyNames", {})
        return [Problem(path[:-1], f"is not a name for this; {_name_hint(path[-2], names, tree)}")]
    if kind == "extra_forbidden":
        return [Problem(path, f"unknown key{_nearest_key(location, path, tree)}", value)]
    if kind == "missing":
        return [Problem(path, f"is missing: must be {tree.allowed(node)}")]
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return [_untagged(path, value, tree, node)]
    if kind in ("duplicates", "reserved", "question"):
        return [Problem(path, detail["msg"], value)]
    near = did_you_mean(value, tree.choices(node)) if isinstance(value, str) else ""
    return [Problem(path, f"must be {tree.allowed(node)}{near}", value)]


def _from_conflict(path: Path, conflict: Conflict) -> Problem:
    keys = (dotted((*path, key)) for key in (conflict.key, *conflict.involves))
    value = UNSET if conflict.value is None else conflict.value
    return Problem((*path, *conflict.key.split(".")), conflict.text, value, tuple(keys))


def _untagged(path: Path, value: Any, tree: SchemaTree, node: Node) -> Problem:
    tags = tree.tags(node)
    must = f"must be one of {', '.join(tags)}"
    if not isinstance(value, dict) or "source" not in value:
        return Problem((*path, "source"), f"is missing: {must}")
    found = value["source"]
    return Problem((*path, "source"), must + did_you_mean(str(found), tags), found)


def _name_hint(name: str | int, names: Node, tree: SchemaTree) -> str:
    choices = tree.choices(names)
    if choices:
        return f"possible: {', '.join(choices)}{did_you_mean(str(name), choices)}"
    return 'use letters, digits, "-", "_" and ".", beginning with a small letter or a digit'


def _nearest_key(location: Path, path: Path, tree: SchemaTree) -> str:
    """A key of this name elsewhere, else the nearest sibling, else the nearest key anywhere."""
    name = str(path[-1])
    keys = sorted((key for key, _ in tree.walk()), key=len)
    leaves = {str(key[-1]): dotted(key) for key in reversed(keys)}
    siblings = tree.children(tree.resolve(location[:-1])[1])
    near = leaves.get(name) or _closest(name, siblings)
    near = near or leaves.get(_closest(name, [str(key[-1]) for key in keys], cutoff=0.75), "")
    return f'; did you mean "{near}"?' if near else ""


def _closest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The most similar of the known names (the first of equals), or an empty string."""
    alike = [(SequenceMatcher(None, name.lower(), other.lower()).ratio(), other) for other in known]
    score, best = max(alike, key=lambda pair: pair[0], default=(0.0, ""))
    return best if score >= cutoff else ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
