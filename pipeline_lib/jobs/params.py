"""What changed among the params of a job, of which Snakemake keeps the values without names."""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_FINGERPRINT = re.compile(r"'[0-9a-f]{16}'")
_MISSING = object()
LONGEST = 60


@dataclass(frozen=True)
class Change:
    """A value that differs; ``key`` is dotted, ``before`` and ``now`` are None where it is not."""

    key: str
    before: str | None
    now: str | None


def changes(
    before: Sequence[str], now: Mapping[str, str], keys: Mapping[str, Mapping[str, str]]
) -> list[Change]:
    """What differs between values of then, without names, and those of now.

    Values are texts (repr). ``keys`` are the config keys of the params, as in a ``Job``. A value of
    then is compared with the value of now that it resembles most.
    """
    kept = Counter(before) & Counter(now.values())
    old, new = list((Counter(before) - kept).elements()), {}
    for name, value in now.items():
        if kept[value]:
            kept[value] -= 1
        else:
            new[name] = value
    pairs = _pairs(old, new)
    found = [
        change
        for name, value in new.items()
        for change in _differences(pairs.get(name), value, name, keys.get(name, {}))
    ]
    gone = list((Counter(old) - Counter(pairs.values())).elements())
    return found + [Change("a param", _short(value), None) for value in gone]


def _pairs(old: Sequence[str], new: Mapping[str, str]) -> dict[str, str]:
    """The value of then for each name, the most alike first; each is taken once."""
    scores = sorted(
        ((_likeness(a, b), i, name) for i, a in enumerate(old) for name, b in new.items()),
        reverse=True,
    )
    pairs: dict[str, str] = {}
    taken: set[int] = set()
    for score, index, name in scores:
        if score > 0 and index not in taken and name not in pairs:
            pairs[name] = old[index]
            taken.add(index)
    return pairs


def _likeness(a: str, b: str) -> float:
    """How much two values look like the same param: 0 not at all; kind first, then content."""
    if bool(_FINGERPRINT.fullmatch(a)) != bool(_FINGERPRINT.fullmatch(b)):
        return 0.0
    x, y = _value(a), _value(b)
    if isinstance(x, dict) and isinstance(y, dict):
        shared = x.keys() & y.keys()
        return 1 + len(shared) / max(1, len(x.keys() | y.keys()))
    numbers = (int, float)
    if isinstance(x, bool) != isinstance(y, bool):
        return 0.0
    if isinstance(x, numbers) and isinstance(y, numbers):
        return 1 + (type(x) is type(y)) + 1 / (2 + abs(x - y))
    return 1.5 if type(x) is type(y) else 0.1


def _differences(
    before: str | None, now: str, name: str, keys: Mapping[str, str]
) -> Iterator[Change]:
    if before is None:
        yield Change(_key(name, (), keys), None, _short(now))
        return
    for path, a, b in _compare(_value(before), _value(now), ()):
        yield Change(_key(name, path, keys), _text(a), _text(b))


def _compare(a: Any, b: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Paths at which two values differ, into dicts but not into lists, with both values."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(key for key in b if key not in a)]:
            yield from _compare(a.get(key, _MISSING), b.get(key, _MISSING), (*path, str(key)))
        if a == b and repr(a) != repr(b):
            yield path, "another order", "this order"
    elif a is _MISSING or b is _MISSING or repr(a) != repr(b):
        yield path, a, b


def _key(name: str, path: tuple[str, ...], keys: Mapping[str, str]) -> str:
    """The config key of a value inside a param; the param's own name where none is known."""
    if path and path[0] in keys:
        return ".".join(["config", *keys[path[0]].split("."), *path[1:]]).replace(
            "config.", "config ", 1
        )
    if "" in keys:
        return "config " + ".".join([keys[""], *path])
    return "param " + ".".join([name, *path])


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _text(value: Any) -> str | None:
    return None if value is _MISSING else _short(value if isinstance(value, str) else repr(value))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
