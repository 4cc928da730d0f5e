"""Where a piece of text occurs as whole words; no tokenizer, no torch."""

import re


def occurrences(text: str, piece: str) -> list[int]:
    """Where a piece of text starts, every time it occurs as whole words, without overlaps."""
    if not piece:
        return []
    before = r"(?<!\w)" if piece[0].isalnum() else ""
    after = r"(?!\w)" if piece[-1].isalnum() else ""
    return [match.start() for match in re.finditer(before + re.escape(piece) + after, text)]
