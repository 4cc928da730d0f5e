"""Tokens of a prompt that no tokenizer has read: one for each word, digit, sign and new line.

Names of people take more than their words (`assumptions.NAME_TOKENS`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline_lib.plan.assumptions import NAME_LETTERS, NAME_TOKENS

PIECE = re.compile(r"[^\W\d_]+|\d|\S|\n")
NAMES = tuple(chr(0xE000 + i) for i in range(100))  # of private use: each stands for a name


@dataclass(frozen=True)
class Place:
    """Positions that are patched together: the first one, and how many there are."""

    first: int
    n_at: int = 1


def pieces(text: str) -> list[str]:
    """What a text is taken to be written in; a name is as many pieces as it has tokens."""
    found: list[str] = []
    for piece in PIECE.findall(text):
        found += [piece] * (NAME_TOKENS if piece in NAMES else 1)
    return found


def count_tokens(text: str) -> int:
    """Tokens of a text."""
    return len(pieces(text))


def count_letters(text: str) -> int:
    """Characters of a text with names."""
    return sum(NAME_LETTERS if letter in NAMES else 1 for letter in text)


def place_of(text: str, names: Sequence[str]) -> Place:
    """Where the last occurrence of each of some names stands; one place for all of them."""
    written = pieces(text)
    ends = [len(written) - 1 - written[::-1].index(name) for name in names]
    return Place(min(ends) - NAME_TOKENS + 1, NAME_TOKENS * len(names))
