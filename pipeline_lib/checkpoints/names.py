"""Names of training checkpoints and their order; free of everything, for config and figures."""

import re
from collections.abc import Sequence

FINAL = "final"
"""What the model itself is called beside its checkpoints."""


def last_number(name: str) -> int | None:
    """The last number in a checkpoint's name (65 in step65), None without any."""
    found = re.findall(r"\d+", name)
    return int(found[-1]) if found else None


def in_training_order(names: Sequence[str]) -> tuple[str, ...]:
    """Checkpoints by the last number in their names; as listed where one has no number."""
    numbers = {name: last_number(name) for name in names}
    if any(number is None for number in numbers.values()):
        return tuple(names)
    return tuple(sorted(names, key=lambda name: numbers[name] or 0))


def tick_labels(names: Sequence[str]) -> tuple[list[str], str]:
    """Short labels of checkpoints (the final one included) and what they are of.

    The number where every name is the same word and a number (step0, step65: "0", "65", of
    "step"), else the whole names, of "checkpoint".
    """
    words = {re.sub(r"\d+$", "", name) for name in names if name != FINAL}
    numbered = all(re.fullmatch(r"[A-Za-z]+[_-]?\d+", name) for name in names if name != FINAL)
    if len(words) != 1 or not numbered:
        return list(names), "checkpoint"
    word = words.pop()
    return [name.removeprefix(word) for name in names], word.rstrip("_-")
