"""Numbers in words: percentages, lists, counts, and clauses that a verdict chooses."""

import math
from collections.abc import Mapping, Sequence

from pipeline_lib.figures.style import OPERATOR_TITLES

NONE = "–"
"""In a table, where there is no number."""


def percent(value: float) -> str:
    """A share as a percentage with one decimal; what is short of all or above nothing says so."""
    if not math.isfinite(value):
        return NONE
    if value in (0.0, 1.0):
        return f"{value:.0%}".replace("%", " %")
    if 0.9995 <= value < 1:
        return "> 99.9 %"
    if 0 < value < 0.0005:
        return "< 0.1 %"
    return f"{100 * value:.1f} %"


def decimal(value: float, places: int = 2) -> str:
    """A number with so many decimals, and a minus sign."""
    return f"{value:.{places}f}".replace("-", "−") if math.isfinite(value) else NONE


def spread(values: Sequence[float], places: int = 2) -> str:
    """Smallest and largest of some numbers, or the one they all are."""
    low, high = decimal(min(values), places), decimal(max(values), places)
    return low if low == high else f"{low} to {high}"


def percent_spread(values: Sequence[float]) -> str:
    """Smallest and largest of some shares, or the one they all are."""
    low, high = percent(min(values)), percent(max(values))
    return low if low == high else f"{low} to {high}"


def p_value(value: float) -> str:
    """A p-value with three decimals."""
    if not math.isfinite(value):
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def between(low: float, high: float, places: int = 2) -> str:
    """An interval in square brackets."""
    return f"[{decimal(low, places)}, {decimal(high, places)}]"


def listed(words: Sequence[str]) -> str:
    """Words with commas, and "and" before the last."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def titles(operators: Sequence[str]) -> str:
    """Names of operators in a list."""
    return listed([OPERATOR_TITLES[operator] for operator in operators])


def counted(found: int, total: int) -> str:
    """How many of how many: "none of the 5", "3 of the 5", "all 5"."""
    if found == total > 1:
        return f"all {total}"
    return f"{'none' if found == 0 else found} of the {total}"


def clauses(verdicts: Mapping[str, str], texts: Mapping[str, str]) -> str:
    """A clause for every verdict that some operators have, in the order of ``texts``.

    ``texts`` are per verdict, with {} for the operators; ``verdicts`` are per operator.
    """
    said = []
    for verdict, text in texts.items():
        operators = [operator for operator, found in verdicts.items() if found == verdict]
        if operators:
            said.append(text.format(titles(operators)))
    return "; ".join(said)


def sentence(text: str) -> str:
    """Text with a capital and a full stop; nothing stays nothing."""
    return f"{text[0].upper()}{text[1:]}." if text else ""


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table: the first column on the left, numbers on the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
