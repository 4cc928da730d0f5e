"""Random damage to configurations and files, each from a seed alone."""

import copy
import random
from collections.abc import Iterator
from typing import Any

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**9, 10**30, -(10**30), 0.5, -0.0, 1e308, float("nan"),
    float("inf"), "", " ", "add", "x" * 5000, "\x00", "\u202e", "ä/ö", "../../etc/passwd", "~",
    "/dev/zero", "/dev/null", "{model}", "%s%n", "$(touch x)", "`id`", "1e999", "null", "auto",
    "__use_yte__", "!!python/object:os.system", b"bytes", [], {}, [[]], [{}], [None], {"": None},
    {"a": {"b": {"c": 1}}}, ["add", "add"], list(range(50)), {1: 2}, {None: 1}, {"source": "hub"},
    {"source": "local", "path": "/"}, {"source": ["local"]}, ("a", 1),
)  # fmt: skip


def places(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all keys and list items of nested values."""
    items: Any = ()
    if isinstance(values, dict):
        items = list(values.items())
    elif isinstance(values, list):
        items = list(enumerate(values))
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def mutated(config: dict[Any, Any], rng: random.Random) -> dict[Any, Any]:
    """A configuration with one to four changes: values, names, missing and added keys."""
    changed = copy.deepcopy(config)
    for _ in range(rng.choice((1, 1, 2, 4))):
        where = rng.choice(list(places(changed)) or [()])
        if not where:
            return changed
        parent: Any = changed
        for key in where[:-1]:
            parent = parent[key]
        _change(parent, where[-1], changed, rng)
    return changed


def _change(parent: Any, key: Any, config: dict[Any, Any], rng: random.Random) -> None:
    kind = rng.choice(("replace", "replace", "replace", "delete", "add", "rename", "graft", "near"))
    if kind == "delete":
        del parent[key]
    elif kind == "rename" and isinstance(parent, dict):
        parent[rng.choice((f"{key}z", str(key)[1:], 7, None, "source", "\x00"))] = parent.pop(key)
    elif kind == "add":
        strange = copy.deepcopy(rng.choice(STRANGE))
        if isinstance(parent, dict):
            parent[rng.choice(("new", "enabled", "seeds", "path", 3))] = strange
        else:
            parent.append(strange)
    elif kind == "graft":
        parent[key] = copy.deepcopy(rng.choice([config[name] for name in config] or [None]))
    elif kind == "near" and isinstance(parent[key], int | float):
        parent[key] = parent[key] * rng.choice((-1, 0, 2, 0.5, 1e6)) + rng.choice((0, 1, -1))
    else:
        parent[key] = copy.deepcopy(rng.choice(STRANGE))


def damaged(content: bytes, rng: random.Random) -> bytes:
    """A file's bytes with some changed, cut off, doubled, moved or filled with zeros."""
    data, kind = bytearray(content), rng.choice(("flip", "flip", "byte", "cut", "zero", "twice"))
    start = rng.randrange(len(data))
    stop = min(len(data), start + rng.choice((1, 16, 512, 4096)))
    if kind == "flip":
        for _ in range(rng.choice((1, 1, 1, 8, 64))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "byte":
        for place in range(start, stop):
            data[place] = rng.randrange(256)
    elif kind == "cut":
        del data[start:]
    elif kind == "zero":
        data[start:stop] = bytes(stop - start)
    else:
        data[start:start] = data[start:stop]
    return bytes(data)
